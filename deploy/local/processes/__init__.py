"""The processes of `make run`: started, watched, restarted and stopped. None is configured here."""
