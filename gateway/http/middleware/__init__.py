"""Middleware around every route: logging, CORS, compression, errors, limits."""
