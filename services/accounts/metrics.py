"""Metrics of accounts: e-mails that wait to be sent."""

from prometheus_client import Gauge

EMAILS_WAITING = Gauge("boxoffice_emails_waiting", "E-mails that were not sent yet")
EMAIL_LAG_SECONDS = Gauge("boxoffice_email_lag_seconds", "Age of the oldest e-mail that waits")
