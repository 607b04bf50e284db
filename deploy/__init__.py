"""Runs Boxoffice: for development on one machine, elsewhere in containers."""
