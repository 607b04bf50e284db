"""The messages of violations."""

from collections.abc import Iterator
from importlib import import_module
from importlib.resources import files

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import Message

from boxoffice.accounts.v1 import accounts_pb2, api_keys_pb2
from boxoffice.bookings.v1 import bookings_pb2
from boxoffice.events.v1 import events_pb2
from boxoffice.rest.v1 import batch_pb2, rest_pb2
from buf.validate import validate_pb2
from services.kit.rpc.validation import violations
from services.kit.rpc.violation_text import PATTERNS


def fields() -> Iterator[FieldDescriptor]:
    """Returns all fields of the contract."""
    image = FileDescriptorSet.FromString((files("boxoffice") / "contract.binpb").read_bytes())
    names = [f.name for f in image.file if f.name.startswith("boxoffice/")]
    for name in names:
        module = import_module(f"{name[:-6].replace('/', '.')}_pb2")
        messages: list[Descriptor] = list(module.DESCRIPTOR.message_types_by_name.values())
        for message in messages:
            yield from message.fields


def patterns() -> set[str]:
    """Returns the regular expressions in the contract's rules."""
    rules = [field.GetOptions().Extensions[validate_pb2.field] for field in fields()]
    each = [(rule.string, rule.repeated.items.string) for rule in rules]
    return {strings.pattern for pair in each for strings in pair if strings.pattern}


def test_each_pattern_of_the_contract_has_its_text() -> None:
    """People could be shown a regular expression, or a text be left without its pattern."""
    assert patterns() == PATTERNS.keys()


@pytest.mark.parametrize(
    ("request_", "messages"),
    [
        (bookings_pb2.ReserveRequest(event_id=0), ["must be 1 or more"]),
        (bookings_pb2.CreateBookingRequest(event_id=1, seat_count=21), ["must be from 1 to 20"]),
        (bookings_pb2.ListTopUsersRequest(period="year"), ["must be one of day, week, month"]),
        (bookings_pb2.ListTopUsersRequest(date="x"), ["must be a day, like 2025-10-13"]),
        (batch_pb2.BatchRequest(), ["must have at least 1 item"]),
        (events_pb2.CreateEventRequest(), ["value is required"]),
        (
            bookings_pb2.ListBookingsRequest(page_token="x" * 513),
            ["must have at most 512 characters"],
        ),
        (
            bookings_pb2.ListUserBookingsRequest(),
            ["must have at least 1 character"],
        ),
        (
            events_pb2.ListEventsRequest(status=events_pb2.EVENT_STATUS_UNSPECIFIED),
            ["must be a value of the enum, and not its UNSPECIFIED"],
        ),
        (
            accounts_pb2.ForgotPasswordRequest(email="nobody"),
            ["must be an e-mail address, like alice@example.com"],
        ),
        (
            api_keys_pb2.CreateApiKeyRequest(
                name="x", scopes=[rest_pb2.SCOPE_EVENTS_WRITE, rest_pb2.SCOPE_EVENTS_WRITE]
            ),
            ["must not have an item twice"],
        ),
    ],
)
def test_each_rule_has_its_text(request_: Message, messages: list[str]) -> None:
    """Clients of gRPC and of REST could get different messages, or unreadable ones."""
    assert [violation.message for violation in violations(request_)] == messages
