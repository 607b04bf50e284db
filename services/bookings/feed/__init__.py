"""The feed: the changes of events and admissions to them, for their organizers."""
