"""gRPC in both directions: callers, channels, errors, validation, fields of messages."""
