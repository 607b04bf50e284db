"""Metrics of bookings: time under locks, lags, readers of changes, payments."""

from prometheus_client import Counter, Gauge, Histogram

LAG_SECONDS = Gauge(
    "boxoffice_catalogue_lag_seconds",
    "Age of the oldest change that was not applied when looked, or of the last look that succeeded",
)
DRIFT = Gauge(
    "boxoffice_drift",
    "Events whose counters are wrong, or that differ from the catalogue, in the last full pass",
    ["kind"],
)
FROZEN = Gauge(
    "boxoffice_frozen_events",
    "Events that sell nothing, as their counters were wrong or they differed from the catalogue",
    ["kind"],
)
SWEEP_LAG_SECONDS = Gauge(
    "boxoffice_sweep_lag_seconds", "How long ago the oldest hold that was not swept yet has ended"
)
RECONCILED_SECONDS = Gauge("boxoffice_reconciled_seconds", "Duration of the last full pass")
LOCKED_SECONDS = Histogram(
    "boxoffice_locked_seconds",
    "How long events stayed locked, from the end of the load to the commit",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
WATCHERS = Gauge("boxoffice_watchers", "Streams of changes of events and waiting lists")
FEED_WAITERS = Gauge("boxoffice_feed_waiters", "Requests that wait for changes")
WEBHOOK_ATTEMPTS = Counter("boxoffice_webhook_attempts_total", "Requests to webhooks", ["outcome"])
WEBHOOK_LAG_SECONDS = Gauge(
    "boxoffice_webhook_lag_seconds",
    "Age of the oldest change that a webhook which is not failing has not got yet",
)
WEBHOOKS_FAILING = Gauge("boxoffice_webhooks_failing", "Enabled webhooks whose last attempt failed")
PAYMENTS = Counter(
    "boxoffice_payments_total", "Payments by what became of them", ["provider", "outcome"]
)
PAYMENT_MISMATCHES = Counter(
    "boxoffice_payment_mismatches_total",
    "Payments of which another amount was received than was asked for",
    ["provider"],
)
PROVIDER_FAILURES = Counter(
    "boxoffice_provider_failures_total",
    "Calls of payment providers without an answer, or refunds that they refused",
    ["provider", "call"],
)
PAYMENT_LAG_SECONDS = Gauge(
    "boxoffice_payment_lag_seconds", "Age of the oldest payment that is under way"
)
REFUNDS_DUE = Gauge("boxoffice_refunds_due", "Refunds that were not paid back yet")
REFUND_LAG_SECONDS = Gauge("boxoffice_refund_lag_seconds", "Age of the oldest refund that is due")
