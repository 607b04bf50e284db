"""Converts between protobuf messages and the events of this room."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeAlias

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp

from boxoffice.events.v1 import catalogue_pb2, events_pb2, screenings_pb2
from boxoffice.type.v1 import money_pb2
from services.events.events.results import (
    CreatedEvent,
    DeletedEvent,
    EventDetails,
    InitializedEvent,
    Place,
)
from services.events.events.revisions import Event, Fields
from services.events.requests import Responses
from services.kit.rpc import masks
from services.kit.rpc.errors import ValidationFailed, Violation
from services.kit.rpc.money import money
from services.kit.rpc.timestamps import timestamp

Resource: TypeAlias = events_pb2.Event | screenings_pb2.Screening
"""A message whose fields are columns of events."""


def event(details: EventDetails) -> events_pb2.Event:
    """Returns an event as clients see it."""
    found = details.event
    return events_pb2.Event(
        id=found.id,
        description=found.description,
        available_seats=details.available_seats,
        venue=found.venue,
        time_zone=found.time_zone,
        movie_id=found.movie_id,
        room_id=found.room_id,
        ends_at=timestamp(found.ends_at),
        orphan_rule=found.orphan_rule,
        version=found.revision,
        created_at=timestamp(found.created_at),
        updated_at=timestamp(found.updated_at),
        **_shared(found),
    )


def state(found: Event) -> catalogue_pb2.EventState:
    """Returns an event as bookings needs it."""
    return catalogue_pb2.EventState(
        event_id=found.id,
        revision=found.revision,
        deleted=found.deleted_at is not None,
        epoch=found.epoch,
        orphan_rule=bool(found.orphan_rule),
        **_shared(found),
    )


def place(found: Place) -> catalogue_pb2.EventPlace:
    """Returns where and when an event is, as its tickets show it."""
    return catalogue_pb2.EventPlace(
        revision=found.revision,
        starts_at=timestamp(found.starts_at),
        ends_at=timestamp(found.ends_at),
        time_zone=found.time_zone,
        venue=found.venue,
        room=found.room,
    )


def fields(message: Resource, paths: Iterable[str] | None) -> Fields:
    """Reads the columns that a client sets: those that `paths` name, or else those that are set.

    A column that is named and not set is None. Raises ValidationFailed.
    """
    named = masks.fields(paths, message) if paths is not None else _names_set(message)
    found: dict[str, object] = {}
    for name in _settable(message.DESCRIPTOR):
        if name == "price" and name in named:
            found |= _price(message)
        elif name in named:
            found[name] = _column(message, name)
    return found


def prices(found: Event) -> Mapping[str, money_pb2.Money]:
    """Returns the prices of the types of seats."""
    return {
        kind: money_pb2.Money(**price) for kind, price in (found.seat_type_prices or {}).items()
    }


def status_name(status: events_pb2.EventStatus.ValueType) -> str:
    """Returns a status as it is stored."""
    return events_pb2.EventStatus.Name(status).removeprefix(_STATUS)


def status_of(name: str) -> events_pb2.EventStatus.ValueType:
    """Returns the status that is stored under a name."""
    return events_pb2.EventStatus.Value(_STATUS + name)


_STATUS = "EVENT_STATUS_"


def _shared(found: Event) -> dict[str, Any]:
    """Returns the fields that Event and EventState have in common."""
    return {
        "name": found.name,
        "total_seats": found.total_seats,
        "status": status_of(found.status),
        "starts_at": timestamp(found.starts_at),
        "sales_open_at": timestamp(found.sales_open_at),
        "sales_close_at": timestamp(found.sales_close_at),
        "refund_until": timestamp(found.refund_until),
        "price": money(found.price_amount_minor, found.price_currency),
        "one_booking_per_user": found.one_booking_per_user,
        "plan_id": found.plan_id,
        "seat_type_prices": prices(found),
        "organizer_id": found.organizer_id,
        "key": found.key,
    }


def _price(message: Resource) -> Fields:
    given = message.price if message.HasField("price") else None
    return {
        "price_amount_minor": given.amount_minor if given else None,
        "price_currency": given.currency if given else None,
    }


def _column(message: Resource, name: str) -> object:
    """Reads the column of a field; None if the field is not set."""
    if name not in _names_set(message):
        return None
    value: object = getattr(message, name)
    if isinstance(value, Timestamp):
        return _moment(name, value)
    if name == "seat_type_prices":
        return {
            kind: {"amount_minor": price.amount_minor, "currency": price.currency}
            for kind, price in message.seat_type_prices.items()
        }
    return status_name(message.status) if name == "status" else value


def _names_set(message: Resource) -> set[str]:
    return {field.name for field, _ in message.ListFields()}


def _moment(name: str, value: Timestamp) -> datetime:
    try:
        return value.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        wrong = Violation(f"event.{name}", "must be a time of the years 1 to 9999")
        raise ValidationFailed(violations=[wrong]) from error


def _is_settable(field: FieldDescriptor) -> bool:
    behavior = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    return field_behavior_pb2.OUTPUT_ONLY not in behavior


@cache
def _settable(resource: Descriptor) -> Sequence[str]:
    return [field.name for field in resource.fields if _is_settable(field)]


def _create_response(created: CreatedEvent) -> events_pb2.CreateEventResponse:
    details = EventDetails(created.event, created.event.total_seats)
    return events_pb2.CreateEventResponse(event=event(details))


def _initialize_response(found: InitializedEvent) -> events_pb2.InitializeEventResponse:
    return events_pb2.InitializeEventResponse(
        event=events_pb2.InitializedEvent(
            event_id=found.event.key or "",
            total_tickets=found.event.total_seats,
            available_tickets=found.available_seats,
            waiting_list=found.waiting,
        ),
        created=found.is_new,
    )


def _update_response(details: EventDetails) -> events_pb2.UpdateEventResponse:
    return events_pb2.UpdateEventResponse(event=event(details))


def _delete_response(deleted: DeletedEvent) -> events_pb2.DeleteEventResponse:
    return events_pb2.DeleteEventResponse(
        deleted_event=events_pb2.DeletedEvent(
            event_id=deleted.event_id, cancelled_bookings=deleted.cancelled_bookings
        )
    )


RESPONSES: Responses = {
    "CreateEvent": _create_response,
    "InitializeEvent": _initialize_response,
    "UpdateEvent": _update_response,
    "DeleteEvent": _delete_response,
}
