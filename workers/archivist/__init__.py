"""The one writer of the read model: every topic goes into the database."""
