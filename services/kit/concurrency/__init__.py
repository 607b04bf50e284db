"""Combining concurrent calls, timers, and noticing outages."""
