"""Calling and being called over gRPC: callers, channels, errors, validation."""
