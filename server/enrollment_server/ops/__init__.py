"""What operating the server takes: health, logging, shutdown."""
