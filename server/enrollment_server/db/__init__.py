"""SQLAlchemy: engines, mapped classes, the schema, and the few statements."""
