import pytest
from google.protobuf.message import Message

from boxoffice.bookings.v1 import bookings_pb2, inventory_pb2
from boxoffice.events.v1 import catalogue_pb2, events_pb2
from boxoffice.rest.v1 import batch_pb2
from services.kit.rpc.validation import violations

Reserve = bookings_pb2.ReserveRequest
EMOJI = "\N{GRINNING FACE}"


def paths(message: Message) -> list[str]:
    """Returns the paths of the fields that break their rules."""
    return [violation.path for violation in violations(message)]


@pytest.mark.parametrize(
    "request_",
    [
        Reserve(event_id=1, user_id="a"),
        Reserve(event_id=2**63 - 1, user_id=EMOJI * 128, request_id="~" * 255),
        bookings_pb2.ListTopUsersRequest(period="week", date="2024-02-29"),
        bookings_pb2.ListBookingsRequest(page_size=200, page_token="x" * 512),
        events_pb2.CreateEventRequest(event=events_pb2.Event(name="x", total_seats=0)),
        events_pb2.CreateEventRequest(event=events_pb2.Event(name="x", room_id=1)),
    ],
)
def test_a_request_within_its_limits_is_valid(request_: Message) -> None:
    """A value at the limit could be refused, or text be counted in bytes."""
    assert violations(request_) == []


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        (Reserve(event_id=0, user_id="a"), "event_id"),
        (Reserve(event_id=-1, user_id="a"), "event_id"),
        (bookings_pb2.ListUserBookingsRequest(), "user_id"),
        (Reserve(event_id=1, user_id="a" * 129), "user_id"),
        (Reserve(event_id=1, user_id="a\x00"), "user_id"),
        (Reserve(event_id=1, user_id="a\n"), "user_id"),
        (Reserve(event_id=1, user_id="a\N{ZERO WIDTH SPACE}"), "user_id"),
        (Reserve(event_id=1, user_id="a\N{LINE SEPARATOR}"), "user_id"),
        (Reserve(event_id=1, user_id="a", request_id="k\n"), "request_id"),
        (Reserve(event_id=1, user_id="a", request_id="two words"), "request_id"),
        (Reserve(event_id=1, user_id="a", request_id="é"), "request_id"),
        (Reserve(event_id=1, user_id="a", request_id="k" * 256), "request_id"),
        (bookings_pb2.ListTopUsersRequest(period="year"), "period"),
        (bookings_pb2.ListTopUsersRequest(date="2024-1-1"), "date"),
        (bookings_pb2.ListTopUsersRequest(date="2024-01-01\n"), "date"),
        (bookings_pb2.ListBookingsRequest(page_size=-1), "page_size"),
        (bookings_pb2.ListBookingsRequest(page_size=201), "page_size"),
        (batch_pb2.BatchRequest(), "items"),
        (inventory_pb2.ApplyEventRequest(), "state"),
        (
            inventory_pb2.ApplyEventRequest(state=catalogue_pb2.EventState(revision=1)),
            "state.event_id",
        ),
    ],
)
def test_a_field_that_breaks_its_rule_is_named(request_: Message, path: str) -> None:
    """A client could not see which field is wrong."""
    assert paths(request_) == [path]


def test_every_field_that_is_wrong_is_named_at_once() -> None:
    """A client could need a request for each wrong field."""
    assert paths(Reserve(user_id="\n", request_id=" ")) == ["event_id", "user_id", "request_id"]


def test_an_item_of_a_batch_is_judged_by_itself() -> None:
    """One invalid item could refuse the whole batch."""
    items = [bookings_pb2.GetAvailabilityRequest(event_id=0)]
    assert violations(bookings_pb2.BatchGetAvailabilityRequest(items=items)) == []


def test_a_new_resource_has_its_required_fields() -> None:
    """A resource could be created without a required field, or a zero count as missing."""
    assert paths(events_pb2.CreateEventRequest(event=events_pb2.Event())) == [
        "event.name",
        "event.total_seats",
    ]


def test_a_change_of_a_resource_needs_only_what_changes() -> None:
    """An update could be refused for fields that it does not change."""
    request = events_pb2.UpdateEventRequest(event_id=1, event=events_pb2.Event(venue="Hall"))
    request.update_mask.paths.append("venue")
    assert violations(request) == []


def test_a_caller_without_an_account_must_name_the_user() -> None:
    """A booking could have no user, or a user with a token have to name themselves."""
    assert paths(Reserve()) == ["event_id"]
    found = violations(Reserve(), has_account=False)
    assert [violation.path for violation in found] == ["event_id", "user_id"]
    assert violations(bookings_pb2.ListBookingsRequest(), has_account=False) == []
