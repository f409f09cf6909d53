"""A finding becomes an ECS document and, at the desk, an alert. Pure: nothing here opens a file or reads a clock."""
