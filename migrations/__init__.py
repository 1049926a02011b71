"""Alembic revisions, from before this service to the schema that it needs."""
