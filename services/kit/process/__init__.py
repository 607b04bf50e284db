"""Code of every process, also of the gateway: settings, logs, metrics, ports, workers, shutdown."""
