"""The embedded PostgreSQL: its programs, its files and its process. No SQL of a service is here."""
