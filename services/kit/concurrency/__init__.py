"""Concurrent requests: combines them, shares work among them, times them, notices outages."""
