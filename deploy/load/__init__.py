"""The load test: `boxoffice load`.

It sells seats of one event over HTTP, measures, and then checks that the system has exactly the
bookings that it confirmed. It reads no database, so it works against every deployment.
"""
