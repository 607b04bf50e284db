"""What operators ask the gateway: whether it lives, whether it is ready, and its metrics."""
