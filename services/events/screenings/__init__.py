"""Screenings: events that show a movie in a room."""
