"""The processes of a run: started, watched, restarted and stopped. None is configured here."""
