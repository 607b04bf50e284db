"""Examples of requests are those of the contract."""

import pytest

from boxoffice.accounts.v1 import accounts_pb2, api_keys_pb2
from boxoffice.bookings.v1 import bookings_pb2
from boxoffice.events.v1 import events_pb2, screenings_pb2, theaters_pb2
from gateway.contract.messages import ContractError, Field, fields
from gateway.contract.reader import read_bindings
from gateway.reference import examples
from gateway.services import ACCOUNTS


def test_a_request_has_what_it_needs_and_what_has_an_example() -> None:
    """Somebody who tries things without a token would be refused for lack of `user_id`."""
    request = fields(bookings_pb2.ReserveRequest.DESCRIPTOR)
    assert examples.sample(request) == {"event_id": 1, "user_id": "alice"}


def test_a_time_is_written_as_clients_send_it() -> None:
    """The example would be seconds and nanoseconds, and be refused."""
    shown = examples.sample(fields(screenings_pb2.Screening.DESCRIPTOR))
    assert shown["starts_at"] == "2030-05-01T18:00:00Z"


def test_a_list_has_one_value() -> None:
    """The example would be no list, and be refused."""
    request = fields(api_keys_pb2.CreateApiKeyRequest.DESCRIPTOR)
    assert examples.sample(request)["scopes"] == ["EVENTS_WRITE"]


def test_an_example_shows_its_inner_fields() -> None:
    """The example of a room would have no seats, and be refused."""
    room = examples.sample(fields(theaters_pb2.RoomSpec.DESCRIPTOR))
    assert room["focal_point"] == {"x": 1200, "y": 1600}
    assert room["rows"] == [{"row": "A", "seats": 12}]


def test_an_update_needs_nothing() -> None:
    """The example would set a role, which cannot change, and be refused."""
    [update] = [binding for binding in read_bindings([ACCOUNTS]) if binding.is_update]
    assert examples.sample_body(update) == {"name": "Alice Liddell"}


def test_text_without_an_example_is_a_mistake_of_the_contract() -> None:
    """An example made up from the field's name would be refused by its rules."""
    descriptor = events_pb2.CreateEventRequest.DESCRIPTOR.fields_by_name["request_id"]
    with pytest.raises(ContractError, match="request_id has no example"):
        examples.example(Field(descriptor))


def test_the_log_in_is_that_of_who_registers() -> None:
    """The example of the log-in would be refused after that of the registration."""
    registers, logs_in = (
        examples.sample(fields(message.DESCRIPTOR))
        for message in (accounts_pb2.RegisterRequest, accounts_pb2.LoginRequest)
    )
    assert logs_in.items() <= registers.items()
