"""Responses as the services would give them."""

from google.protobuf.timestamp_pb2 import Timestamp

from boxoffice.accounts.v1 import accounts_pb2, identity_pb2
from boxoffice.bookings.v1 import bookings_pb2
from boxoffice.events.v1 import events_pb2
from boxoffice.type.v1 import money_pb2

MOMENT = Timestamp(seconds=1_760_358_896, nanos=789_654_321)
PRINTED_MOMENT = "2025-10-13T12:34:56.789Z"


PRINTED_SESSION = {
    "access_token": "access",
    "accessToken": "access",
    "token_type": "Bearer",
    "expires_in": 900,
    "refresh_token": "refresh",
    "refreshToken": "refresh",
    "user": {
        "id": "acct_a",
        "name": "Mallory",
        "firstname": None,
        "lastname": None,
        "email": "a@example.com",
        "role": "USER",
        "email_verified": False,
    },
}


def session() -> accounts_pb2.Session:
    """Makes the log-in of somebody who gave one name."""
    return accounts_pb2.Session(
        access_token="access",
        token_type="Bearer",
        expires_in=900,
        refresh_token="refresh",
        user=accounts_pb2.User(
            id="acct_a", name="Mallory", email="a@example.com", role=identity_pb2.ROLE_USER
        ),
    )


def event(**fields: object) -> events_pb2.Event:
    """Makes an event that has what every event has."""
    given = {
        "id": 5,
        "name": "Concert",
        "total_seats": 50,
        "status": events_pb2.EVENT_STATUS_PUBLISHED,
        "version": 16,
        "created_at": MOMENT,
        "updated_at": MOMENT,
    }
    return events_pb2.Event(**(given | fields))  # type: ignore[arg-type]


def reserved(request: bookings_pb2.ReserveRequest) -> bookings_pb2.ReserveResponse:
    """Grants a reservation."""
    return bookings_pb2.ReserveResponse(
        reservation=bookings_pb2.Reservation(
            booking_id=7, event_id=request.event_id, user_id=request.user_id, created_at=MOMENT
        ),
        inventory_revision=12,
    )


def booking(**fields: object) -> bookings_pb2.Booking:
    """Makes a confirmed booking of one seat."""
    given = {
        "id": 7,
        "reference": "5f3d0f5e-3c6b-4f0e-9d53-6d5d1a3e9b11",
        "event_id": 5,
        "user_id": "alice",
        "status": bookings_pb2.BOOKING_STATUS_CONFIRMED,
        "seat_count": 1,
        "created_at": MOMENT,
        "event": bookings_pb2.BookedEvent(id=5, name="Concert"),
    }
    return bookings_pb2.Booking(**(given | fields))  # type: ignore[arg-type]


def money(amount_minor: int, currency: str) -> money_pb2.Money:
    """Makes an amount."""
    return money_pb2.Money(amount_minor=amount_minor, currency=currency)
