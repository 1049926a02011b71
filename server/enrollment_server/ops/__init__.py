"""What operating the server takes: health, reflection, logging."""
