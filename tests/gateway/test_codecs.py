"""Whatever a message holds, JSON carries there and back."""

import contextlib
from typing import Any

import orjson
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from boxoffice.events.v1 import events_pb2
from boxoffice.type.v1 import money_pb2
from gateway.codec import json_body
from gateway.codec.request import Decoder
from gateway.codec.response import message_encoder
from gateway.contract.reader import read_bindings
from gateway.http.errors import MalformedJson
from gateway.services import EVENTS
from services.kit.rpc.errors import ValidationFailed

CREATE = next(b for b in read_bindings([EVENTS]) if b.rpc.name == "CreateEvent")
DECODER = Decoder(CREATE)
encode = message_encoder(events_pb2.Event.DESCRIPTOR)

SENT = {field.name for field in CREATE.body_fields if not field.is_output_only}
moments = st.builds(
    Timestamp,
    seconds=st.integers(-62_135_596_800, 253_402_300_799),
    nanos=st.integers(0, 999).map(lambda milliseconds: milliseconds * 1_000_000),
)
texts = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=200)
amounts = st.builds(
    money_pb2.Money,
    amount_minor=st.integers(0, 10**12),
    currency=st.from_regex(r"[A-Z]{3}", fullmatch=True),
)
events = st.builds(
    events_pb2.Event,
    name=texts.filter(lambda text: bool(text.strip())),
    total_seats=st.integers(0, 1_000_000),
    description=st.none() | texts,
    status=st.none() | st.sampled_from([1, 2, 3, 4]),
    starts_at=st.none() | moments,
    price=st.none() | amounts,
    key=st.none() | st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True),
    one_booking_per_user=st.none() | st.booleans(),
)


@given(events)
def test_a_printed_event_reads_back_as_the_same(event: events_pb2.Event) -> None:
    """A client that sends back what it read would change the event."""
    printed = {name: value for name, value in encode(event).items() if name in SENT}
    body = json_body.parse(orjson.dumps(printed))
    request: Any = DECODER.decode({}, {}, [], body)
    assert request.event == event


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_do_more_than_be_refused(body: bytes) -> None:
    """Bytes of a client's choice would end in 500."""
    with contextlib.suppress(MalformedJson):
        assert isinstance(json_body.parse(body), tuple)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(st.tuples(st.sampled_from(sorted(SENT)), inner), max_size=3).map(tuple)
    ),
    max_leaves=5,
)


@given(st.lists(st.tuples(st.sampled_from([*sorted(SENT), "id", "nope"]), values), max_size=5))
def test_no_values_do_more_than_be_refused(members: list[tuple[str, Any]]) -> None:
    """A wrong value would end in 500."""
    with contextlib.suppress(ValidationFailed):
        DECODER.decode({}, {}, [], tuple(members))
