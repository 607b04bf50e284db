"""Backups of all of Boxoffice, made and restored by the programs of PostgreSQL."""
