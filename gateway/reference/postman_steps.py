"""The steps of two walks: to a cancelled booking, and to seats of a cinema that are paid."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Step(NamedTuple):
    """A request of the walk, named by its RPC.

    `body` replaces fields of the example body. `before` are variables to set first. `keeps` maps
    variables to the fields of the response that later steps need.
    """

    rpc: str
    body: Mapping[str, Any] = NOTHING
    before: Mapping[str, str] = NOTHING
    keeps: Mapping[str, str] = NOTHING
    hint: str = ""


class Walk(NamedTuple):
    """Requests to send in this order, each with what the ones before it found."""

    name: str
    steps: Sequence[Step]


EVENT = Walk(
    "A walk, in this order",
    (
        Step(
            "SendCode",
            before={"email": "alice-{{$guid}}@example.com", "password": "{{$guid}}"},
        ),
        Step(
            "RegisterWithCode",
            body={"role": "ORGANIZER"},
            hint="The variable `code` has the six digits of the letter.",
        ),
        Step("Login"),
        Step("CreateEvent", keeps={"event_id": "id"}),
        Step(
            "CreateBooking",
            body={"seat_count": 2},
            keeps={"reference": "reference", "booking_id": "booking_id"},
        ),
        Step("GetEventReport"),
        Step("ListOwnBookings"),
        Step("CancelBookingByReference"),
    ),
)
CINEMA = Walk(
    "A cinema, in this order",
    (
        Step(
            "Login",
            body={"email": "admin@example.com", "password": "known-to-everybody"},
            hint="`make seed` makes this account.",
        ),
        Step("CreateMovie", keeps={"movie_id": "id"}),
        Step("CreateTheater", keeps={"theater_id": "id"}),
        Step("CreateRoom", keeps={"room_id": "id", "plan_id": "plan_id"}),
        Step(
            "CreateScreening",
            body={"price": {"amount_minor": 900, "currency": "EUR"}},
            keeps={"screening_id": "id"},
        ),
        Step(
            "HoldSeats",
            body={"seat_ids": [2, 3]},
            keeps={"reservation_id": "reservation_id"},
        ),
        Step("RenderSeatMap"),
        Step("ReleaseSeats"),
        Step(
            "HoldSeats",
            body={"seat_ids": [2, 3]},
            keeps={"reservation_id": "reservation_id"},
        ),
        Step("CreateTicket", keeps={"ticket_id": "ticket_id"}),
        Step("CreatePayment", keeps={"payment_id": "payment_id"}),
        Step("GetTicket"),
        Step("RefundPayment"),
    ),
)
WALKS: Sequence[Walk] = (EVENT, CINEMA)

CODE = "code"
READ_AFTER = "SendCode"
READ_NAME = "Reads the code in the mailbox of the development run"
READ_HINT = """Without that mailbox leave this out, and copy the six digits of the letter into the
variable `code`."""
READ_PREPARED = "setTimeout(() => {}, 3000); // the letter is on its way"
READ_TESTED = (
    f'pm.collectionVariables.set("{CODE}", '
    'pm.response.text().split(pm.collectionVariables.get("email"))[1].match(/\\b\\d{6}\\b/)[0]);'
)
"""The one request outside the contract. Its page has the newest letter first, and in each letter
the address before the text."""
