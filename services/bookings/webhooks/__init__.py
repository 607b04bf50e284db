"""Webhooks: changes of events, sent to programs of their organizers."""
