"""Encrypted connections: certificates read from files, and read again when the files change."""
