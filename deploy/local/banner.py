"""The text that the runner prints once everything is ready: addresses and first commands."""

from deploy.local.samples.loading import Samples
from deploy.local.settings import RunSettings

_OPEN = (
    "Open access is on: callers without a token may book for any user.\n"
    "  BOXOFFICE_OPEN_ACCESS=false turns it off."
)
_CLOSED = (
    "Open access is off: the lines below need -H 'Authorization: Bearer <access token>', and a\n"
    "  token books for its own user alone. `.venv/bin/boxoffice seed` makes accounts."
)


def banner(settings: RunSettings, samples: Samples, database: str) -> str:
    """Returns the text; `database` names the place of the data in a word or two."""
    bookings = f"127.0.0.1:{settings.bookings_port}"
    mailbox = f"{settings.mailbox_url} (nothing is sent; codes are logged, too)"
    mail = mailbox if settings.mailbox_url else "sent by ACCOUNTS_SMTP_URL"
    event_id, screening_id = samples.event_id or 1, samples.screening_id or 1
    also = "".join(f", {port}" for port in settings.extra_ports)
    return f"""
Boxoffice is ready: {settings.page_url}

  REST      {settings.gateway_url}{also}
  events    127.0.0.1:{settings.events_port} (gRPC)
  bookings  {bookings} (gRPC)
  accounts  127.0.0.1:{settings.accounts_port} (gRPC)
  mail      {mail}
  data      {database}

{_OPEN if settings.open_access else _CLOSED}

Reserve a seat:

  curl -i {settings.gateway_url}/api/bookings/reserve \\
    -H 'Content-Type: application/json' -d '{{"event_id": {event_id}, "user_id": "ada"}}'

  grpcurl -plaintext -d '{{"event_id": {event_id}, "user_id": "grace"}}' \\
    {bookings} boxoffice.bookings.v1.BookingsService/Reserve

Hold the best two seats of a screening:

  curl -i {settings.gateway_url}/api/seat-reservations -H 'Content-Type: application/json' \\
    -d '{{"screening_id": {screening_id}, "user_id": "ada", "best": {{"count": 2}}}}'

Ctrl-C stops everything; the data stays.
"""
