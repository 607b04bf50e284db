from datetime import UTC, datetime

from google.protobuf.message import Message

from services.events.events import messages
from services.events.events.results import EventDetails
from services.events.events.revisions import Event

NOW = datetime(2030, 5, 1, 20, tzinfo=UTC)
EVENT = Event(
    id=1,
    revision=2,
    key="jazz",
    name="Jazz",
    description="All night",
    total_seats=10,
    status="PUBLISHED",
    starts_at=NOW,
    venue="Hall",
    time_zone="Europe/Berlin",
    sales_open_at=NOW,
    sales_close_at=NOW,
    price_amount_minor=2_500,
    price_currency="EUR",
    one_booking_per_user=True,
    movie_id=3,
    room_id=5,
    theater_id=2,
    plan_id=9,
    ends_at=NOW,
    seat_type_prices={"VIP": {"amount_minor": 4_000, "currency": "EUR"}},
    orphan_rule=True,
    refund_until=NOW,
    organizer_id="ada",
    created_at=NOW,
    updated_at=NOW,
    deleted_at=NOW,
    epoch="epoch",
)


def names_unset(message: Message) -> set[str]:
    """Returns the fields that are not set."""
    names_set = {field.name for field, _ in message.ListFields()}
    return set(message.DESCRIPTOR.fields_by_name) - names_set


def test_every_field_of_an_event_is_converted() -> None:
    """A field that is left out would be stored, and never be shown or pushed to bookings."""
    assert names_unset(messages.event(EventDetails(EVENT, 4))) == set()
    assert names_unset(messages.state(EVENT)) == set()


def test_fields_are_read_back_as_they_are_stored() -> None:
    """A field that is left out could be sent, and would be ignored."""
    read = messages.fields(messages.event(EventDetails(EVENT, 4)), None)
    assert read == {name: getattr(EVENT, name) for name in read}
    of_others = {"movie_id", "theater_id", "plan_id"}
    generated = {"id", "revision", "created_at", "updated_at", "deleted_at", "epoch"}
    assert set(read) == set(Event.__slots__) - generated - {"organizer_id", *of_others}
