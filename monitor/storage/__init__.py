"""Where findings, enrolments and tokens are kept: SQLite in a file, or PostgreSQL for several machines."""
