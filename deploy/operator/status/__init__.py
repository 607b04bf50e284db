"""What runs, how far behind it is and what waits, for `boxoffice status`."""
