"""Rules for the fields and the status of an event. Pure: `changes` asks bookings."""

import zoneinfo
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from services.events.errors import InvalidTransition
from services.events.events import room_rules
from services.events.events.revisions import Event, Fields
from services.kit.rpc.errors import ValidationFailed, Violation

TRANSITIONS = {
    ("DRAFT", "PUBLISHED"),
    ("PUBLISHED", "DRAFT"),
    ("PUBLISHED", "CANCELLED"),
    ("PUBLISHED", "COMPLETED"),
}
NEVER_NULL = ("name", "total_seats", "status")
FIXED = ("key", "movie_id")


def check_fields(fields: Fields) -> None:
    """Raises ValidationFailed for values that no event may have."""
    found = [
        Violation(f"event.{field}", "must not be null")
        for field in NEVER_NULL
        if fields.get(field, field) is None
    ]
    if fields.get("time_zone") not in {None, *time_zones()}:
        found.append(
            Violation(
                "event.time_zone", "must be the name of an IANA time zone, like Europe/Berlin"
            )
        )
    if found:
        raise ValidationFailed(violations=found)


def check_new(fields: Fields) -> None:
    """Raises ValidationFailed for fields that cannot make an event."""
    check_fields(fields)
    _check_window(fields.get("sales_open_at"), fields.get("sales_close_at"))
    _check_currency(fields.get("price_currency"), fields.get("seat_type_prices"))


def changes_of(event: Event, fields: Fields) -> Fields:
    """Returns the fields that differ from the event, and the end if it moves with the start.

    Raises ValidationFailed when they cannot be its fields, InvalidTransition when its status may
    not change like this.
    """
    fields = room_rules.with_end_moved(event, _with_one_name(event, fields))
    changes = {name: value for name, value in fields.items() if value != getattr(event, name)}
    if fixed := [Violation(f"event.{name}", "cannot change") for name in FIXED if name in changes]:
        raise ValidationFailed(violations=fixed)
    target = replace(event, **changes)
    _check_window(target.sales_open_at, target.sales_close_at)
    _check_currency(target.price_currency, target.seat_type_prices)
    if "status" in changes and (event.status, target.status) not in TRANSITIONS:
        raise InvalidTransition
    return changes


def needs_decision(event: Event, changes: Fields) -> bool:
    """Returns whether bookings must decide, since existing bookings may forbid the changes.

    Bookings decides changes that take something away: seats, the sale, the event itself, the right
    to book twice. Another plan takes away the seats that are booked.
    """
    target = replace(event, **changes)
    return (
        target.total_seats < event.total_seats
        or target.plan_id != event.plan_id
        or target.deleted_at is not None
        or target.one_booking_per_user != event.one_booking_per_user
        or target.status not in {event.status, "PUBLISHED"}
    )


@cache
def time_zones() -> frozenset[str]:
    """Returns the names of all time zones, without those that mean no place."""
    return frozenset(zoneinfo.available_timezones() - {"Factory", "localtime"})


def _with_one_name(event: Event, fields: Fields) -> Fields:
    """Merges `copied_name` into `name`; the one that differs from the stored name counts."""
    if "copied_name" not in fields:
        return fields
    edited = {fields.get("name", event.name), fields["copied_name"]} - {event.name}
    if len(edited) > 1:
        differs = "differs from the name, which it repeats: send one of them, or both alike"
        raise ValidationFailed(violations=[Violation("copied_name", differs)])
    others = {name: value for name, value in fields.items() if name != "copied_name"}
    return others | {"name": next(iter(edited), event.name)}


def _check_window(opens: object, closes: object) -> None:
    if isinstance(opens, datetime) and isinstance(closes, datetime) and closes <= opens:
        after = Violation("event.sales_close_at", "must be after sales_open_at")
        raise ValidationFailed(violations=[after])


def _check_currency(currency: str | None, prices: Mapping[str, Mapping[str, Any]] | None) -> None:
    """Raises ValidationFailed unless all prices are in one currency: they are added up."""
    used = {currency, *(price["currency"] for price in (prices or {}).values())} - {None}
    if len(used) > 1:
        mixed = Violation("event.seat_type_prices", "must be in one currency, that of price")
        raise ValidationFailed(violations=[mixed])
