"""The order in which one tries Boxoffice, from a code in the mail to a cancelled booking."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Step(NamedTuple):
    """A request: what of its body is chosen, and what of its answer later ones need.

    `before` are variables to set first, `keeps` those to take from the answer, by the names of the
    fields they are in.
    """

    rpc: str
    body: Mapping[str, Any] = NOTHING
    before: Mapping[str, str] = NOTHING
    keeps: Mapping[str, str] = NOTHING
    hint: str = ""


STEPS: Sequence[Step] = (
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
    Step("ListOwnBookings"),
    Step("CancelBookingByReference"),
)

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
"""The one request that is none of the contract: its page has the newest letter first, and in each
the address before the text."""
