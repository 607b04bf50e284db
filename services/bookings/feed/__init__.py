"""The feed: the changes of events, for their organizers."""
