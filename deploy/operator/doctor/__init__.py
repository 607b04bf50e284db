"""Checks whether a server can run Boxoffice, for `boxoffice doctor`."""
