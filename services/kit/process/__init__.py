"""What every process needs, the gateway too: settings, logs, metrics, ports, workers, its end."""
