"""Converts between protobuf messages and the events of this room."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any, TypeAlias

from google.api import field_behavior_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from boxoffice.events.v1 import catalogue_pb2, events_pb2
from services.events.events.results import (
    CreatedEvent,
    DeletedEvent,
    EventDetails,
    InitializedEvent,
)
from services.events.events.revisions import Event, Fields
from services.kit.rpc import masks
from services.kit.rpc.errors import ValidationFailed, Violation
from services.kit.rpc.money import money
from services.kit.rpc.timestamps import timestamp

KeyedRequest: TypeAlias = (
    events_pb2.CreateEventRequest
    | events_pb2.InitializeEventRequest
    | events_pb2.UpdateEventRequest
    | events_pb2.DeleteEventRequest
)


def response(result: object) -> Message:
    """Returns the response to the request that had this result."""
    return _RESPONSES[type(result)](result)


def event(details: EventDetails) -> events_pb2.Event:
    """Returns an event as clients see it."""
    found = details.event
    return events_pb2.Event(
        id=found.id,
        description=found.description,
        available_seats=details.available_seats,
        venue=found.venue,
        time_zone=found.time_zone,
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
        **_shared(found),
    )


def fields(message: events_pb2.Event, paths: Iterable[str] | None) -> Fields:
    """Reads the columns that a client sets: those that `paths` name, or else those that are set.

    A column that is named and not set is None. Raises ValidationFailed.
    """
    named = masks.fields(paths, message) if paths is not None else _names_set(message)
    found: dict[str, object] = {}
    for name in _SETTABLE:
        if name == "price" and name in named:
            found |= _price(message)
        elif name in named:
            found[name] = _column(message, name)
    return found


def fingerprint(request: KeyedRequest) -> bytes:
    """Digests the content of a request, whatever its key and the order of its fields."""
    content = deepcopy(request)
    content.ClearField("request_id")
    if isinstance(content, events_pb2.UpdateEventRequest):
        content.update_mask.paths[:] = sorted(set(content.update_mask.paths))
    digested = content.DESCRIPTOR.name.encode(), content.SerializeToString(deterministic=True)
    return hashlib.sha256(b"\x1f".join((b"v1", *digested))).digest()


def status_name(status: events_pb2.EventStatus.ValueType) -> str:
    """Returns a status as it is stored."""
    return events_pb2.EventStatus.Name(status).removeprefix(_STATUS)


_STATUS = "EVENT_STATUS_"


def _status(name: str) -> events_pb2.EventStatus.ValueType:
    return events_pb2.EventStatus.Value(_STATUS + name)


def _shared(found: Event) -> dict[str, Any]:
    """Returns the fields that Event and EventState have in common."""
    return {
        "name": found.name,
        "total_seats": found.total_seats,
        "status": _status(found.status),
        "starts_at": timestamp(found.starts_at),
        "sales_open_at": timestamp(found.sales_open_at),
        "sales_close_at": timestamp(found.sales_close_at),
        "price": money(found.price_amount_minor, found.price_currency),
        "one_booking_per_user": found.one_booking_per_user,
        "organizer_id": found.organizer_id,
        "key": found.key,
    }


def _price(message: events_pb2.Event) -> Fields:
    given = message.price if message.HasField("price") else None
    return {
        "price_amount_minor": given.amount_minor if given else None,
        "price_currency": given.currency if given else None,
    }


def _column(message: events_pb2.Event, name: str) -> object:
    """Reads the column of a field; None if the field is not set."""
    if name not in _names_set(message):
        return None
    value: object = getattr(message, name)
    if isinstance(value, Timestamp):
        return _moment(name, value)
    return status_name(message.status) if name == "status" else value


def _names_set(message: events_pb2.Event) -> set[str]:
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


_SETTABLE = [field.name for field in events_pb2.Event.DESCRIPTOR.fields if _is_settable(field)]


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


_RESPONSES: Mapping[type, Callable[[Any], Message]] = {
    CreatedEvent: _create_response,
    InitializedEvent: _initialize_response,
    EventDetails: _update_response,
    DeletedEvent: _delete_response,
}
