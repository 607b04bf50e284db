"""The gRPC server of a service: its wiring, its interceptors, batches and the log of its calls."""
