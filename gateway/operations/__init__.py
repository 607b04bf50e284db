"""Endpoints for operators and load balancers: health, readiness and metrics."""
