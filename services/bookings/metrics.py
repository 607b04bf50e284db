"""What bookings shows of how well it is in step with the catalogue."""

from prometheus_client import Gauge

LAG_SECONDS = Gauge(
    "boxoffice_catalogue_lag_seconds",
    "Age of the oldest change that was not applied when looked, or of the last look that succeeded",
)
DRIFT = Gauge(
    "boxoffice_drift",
    "Events whose counters are wrong, or that differ from the catalogue, in the last full pass",
    ["kind"],
)
RECONCILED_SECONDS = Gauge("boxoffice_reconciled_seconds", "Duration of the last full pass")
