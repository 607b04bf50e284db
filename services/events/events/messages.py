"""Protobuf messages out of what the nouns of events give, and back."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import TypeAlias

from google.protobuf.message import Message
from google.rpc import status_pb2

from boxoffice.events.v1 import catalogue_pb2, events_pb2
from boxoffice.type.v1 import money_pb2
from services.events.events.answers import Deleted, Initialized, Outcome, Replay, Shown
from services.events.events.revisions import Event, Fields
from services.events.feed.feed import Changed
from services.kit.rpc import masks
from services.kit.rpc.errors import ValidationFailed, Violation, refusal_from_status, status_of
from services.kit.rpc.timestamps import timestamp

Keyed: TypeAlias = (
    events_pb2.CreateEventRequest
    | events_pb2.InitializeEventRequest
    | events_pb2.UpdateEventRequest
    | events_pb2.DeleteEventRequest
)


def event(shown: Shown) -> events_pb2.Event:
    """Writes an event as a client sees it."""
    found = shown.event
    return events_pb2.Event(
        id=found.id,
        name=found.name,
        description=found.description,
        total_seats=found.total_seats,
        available_seats=shown.available_seats,
        status=_status(found.status),
        starts_at=timestamp(found.starts_at),
        venue=found.venue,
        time_zone=found.time_zone,
        sales_open_at=timestamp(found.sales_open_at),
        sales_close_at=timestamp(found.sales_close_at),
        price=_money(found),
        key=found.key,
        organizer_id=found.organizer_id,
        one_booking_per_user=found.one_booking_per_user,
        version=found.revision,
        created_at=timestamp(found.created_at),
        updated_at=timestamp(found.updated_at),
    )


def deleted_event(deleted: Deleted) -> events_pb2.DeletedEvent:
    """Writes what a deletion did."""
    return events_pb2.DeletedEvent(
        event_id=deleted.event_id, cancelled_bookings=deleted.cancelled_bookings
    )


def initialize_response(found: Initialized) -> events_pb2.InitializeEventResponse:
    """Writes an event that was asked for by its key."""
    return events_pb2.InitializeEventResponse(
        event=events_pb2.InitializedEvent(
            event_id=found.event.key or "",
            total_tickets=found.event.total_seats,
            available_tickets=found.available_seats,
            waiting_list=found.waiting,
        ),
        created=found.is_new,
    )


def state(found: Event) -> catalogue_pb2.EventState:
    """Writes an event as bookings needs it."""
    return catalogue_pb2.EventState(
        event_id=found.id,
        revision=found.revision,
        name=found.name,
        total_seats=found.total_seats,
        status=_status(found.status),
        deleted=found.deleted_at is not None,
        starts_at=timestamp(found.starts_at),
        sales_open_at=timestamp(found.sales_open_at),
        sales_close_at=timestamp(found.sales_close_at),
        price=_money(found),
        one_booking_per_user=found.one_booking_per_user,
        epoch=found.epoch,
        organizer_id=found.organizer_id,
        key=found.key,
    )


def changes(found: Changed) -> catalogue_pb2.ListChangesResponse:
    """Writes a stretch of the feed."""
    return catalogue_pb2.ListChangesResponse(
        changes=(
            catalogue_pb2.EventChange(
                sequence=change.sequence,
                changed_at=timestamp(change.changed_at),
                state=state(change.event),
            )
            for change in found.changes
        ),
        epoch=found.head.epoch,
        head_sequence=found.head.sequence,
    )


def encode(outcome: Outcome) -> bytes:
    """Writes an answer as a key remembers it: a message of the response, or a google.rpc.Status.

    It is the whole response where that says more than its message.
    """
    message: Message
    if isinstance(outcome, Shown):
        message = event(outcome)
    elif isinstance(outcome, Deleted):
        message = deleted_event(outcome)
    elif isinstance(outcome, Initialized):
        message = initialize_response(outcome)
    else:
        message = status_of(outcome)
    return message.SerializeToString(deterministic=True)


def stored(replay: Replay) -> bytes:
    """Gives the message of a stored success; raises the refusal that was stored instead."""
    if not replay.refused:
        return replay.answer
    refusal = refusal_from_status(status_pb2.Status.FromString(replay.answer))
    if refusal is None:
        raise ValueError("a stored refusal is not one of ours")
    refusal.metadata = {**refusal.metadata, "replayed": "true"}
    raise refusal


def fields(message: events_pb2.Event, paths: Iterable[str] | None) -> Fields:
    """Reads the columns that a client sets: those that `paths` name, without it those it filled in.

    A named one that is not filled in is None. Raises ValidationFailed.
    """
    filled_in = (name for name in _SETTABLE if _is_set(message, name))
    found: dict[str, object] = {}
    for name in filled_in if paths is None else masks.named(paths, message):
        if name == "price":
            found |= _price(message)
        elif name in _READ:
            found[name] = _READ[name](message, name) if _is_set(message, name) else None
    return found


def fingerprint(request: Keyed) -> bytes:
    """Digests what a request asks for, whatever its key and the order of its fields."""
    content = deepcopy(request)
    content.ClearField("request_id")
    if isinstance(content, events_pb2.UpdateEventRequest):
        content.update_mask.paths[:] = sorted(set(content.update_mask.paths))
    asked = content.DESCRIPTOR.name.encode(), content.SerializeToString(deterministic=True)
    return hashlib.sha256(b"\x1f".join((b"v1", *asked))).digest()


def status_name(status: events_pb2.EventStatus.ValueType) -> str:
    """Reads a status as it is stored."""
    return events_pb2.EventStatus.Name(status).removeprefix(_STATUS)


_STATUS = "EVENT_STATUS_"


def _status(name: str) -> events_pb2.EventStatus.ValueType:
    return events_pb2.EventStatus.Value(_STATUS + name)


def _money(found: Event) -> money_pb2.Money | None:
    if found.price_amount_minor is None or found.price_currency is None:
        return None
    return money_pb2.Money(amount_minor=found.price_amount_minor, currency=found.price_currency)


def _price(message: events_pb2.Event) -> Fields:
    given = message.price if message.HasField("price") else None
    return {
        "price_amount_minor": given.amount_minor if given else None,
        "price_currency": given.currency if given else None,
    }


def _is_set(message: events_pb2.Event, name: str) -> bool:
    return message.HasField(name)  # type: ignore[arg-type]  # one of its own optional fields


def _scalar(message: events_pb2.Event, name: str) -> object:
    value: object = getattr(message, name)
    return value


def _named_status(message: events_pb2.Event, _: str) -> object:
    return status_name(message.status)


def _moment(message: events_pb2.Event, name: str) -> datetime:
    try:
        moment: datetime = getattr(message, name).ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        wrong = Violation(f"event.{name}", "must be a time of the years 1 to 9999")
        raise ValidationFailed(violations=[wrong]) from error
    return moment


_READ: Mapping[str, Callable[[events_pb2.Event, str], object]] = {
    "key": _scalar,
    "name": _scalar,
    "description": _scalar,
    "total_seats": _scalar,
    "status": _named_status,
    "starts_at": _moment,
    "venue": _scalar,
    "time_zone": _scalar,
    "sales_open_at": _moment,
    "sales_close_at": _moment,
    "one_booking_per_user": _scalar,
}
_SETTABLE = (*_READ, "price")
