"""Running a process: settings, logs, metrics, the gRPC server and its interceptors, workers."""
