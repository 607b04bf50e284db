"""Metrics of changes that bookings has not decided yet."""

from prometheus_client import Gauge

PENDING_INTENTS = Gauge("boxoffice_pending_intents", "Changes that wait for bookings to decide")
