"""Theaters, their rooms, and the seat plans of rooms.

A plan never changes: new seats of a room are another plan. Which seats are free is not known here.
"""
