"""Converts protobuf messages of the catalogue: states of events, the feed and verdicts."""

from collections.abc import Iterable
from typing import Any

from google.protobuf.message import Message

from boxoffice.bookings.v1 import inventory_pb2
from boxoffice.events.v1 import catalogue_pb2, events_pb2, seat_plans_pb2
from boxoffice.type.v1 import money_pb2
from services.bookings.catalogue.following import FeedPage, Listing
from services.bookings.catalogue.places import Place
from services.bookings.inventory import EventState, FeedPosition, Judgement
from services.bookings.seating.plan import Area, Plan, Row
from services.kit.rpc.timestamps import moment


def event_state(state: catalogue_pb2.EventState) -> EventState:
    """Reads a state of an event; an unknown status counts as closed for sale."""
    known = events_pb2.EventStatus.values()
    status = state.status if state.status in known else events_pb2.EVENT_STATUS_COMPLETED
    price = _price(state)
    return EventState(
        event_id=state.event_id,
        rev=state.revision,
        name=state.name,
        capacity=state.total_seats,
        status=events_pb2.EventStatus.Name(status).removeprefix("EVENT_STATUS_"),
        deleted=state.deleted,
        starts_at=moment(state, "starts_at"),
        sales_open_at=moment(state, "sales_open_at"),
        sales_close_at=moment(state, "sales_close_at"),
        price_amount_minor=price.amount_minor if price else None,
        price_currency=price.currency if price else None,
        one_booking_per_user=_optional(state, "one_booking_per_user"),
        organizer_id=_optional(state, "organizer_id"),
        key=_optional(state, "key"),
        epoch=state.epoch,
        plan_id=_optional(state, "plan_id"),
        seat_type_prices={
            kind: price.amount_minor for kind, price in state.seat_type_prices.items()
        },
        orphan_rule=state.orphan_rule,
        refund_until=moment(state, "refund_until"),
    )


def feed_page(response: catalogue_pb2.ListChangesResponse, position: FeedPosition) -> FeedPage:
    """Reads the changes that follow a position in the feed."""
    changes = response.changes
    last = changes[-1].sequence if changes else position.sequence
    return FeedPage(
        [event_state(change.state) for change in changes],
        FeedPosition(response.epoch, last),
        moment(changes[0], "changed_at") if changes else None,
        is_last=last >= response.head_sequence,
    )


def listing(response: catalogue_pb2.ListEventStatesResponse) -> Listing:
    """Reads a page of the states of all events."""
    return Listing(
        [event_state(state) for state in response.states],
        FeedPosition(response.epoch, response.head_sequence),
    )


def apply_response(judgement: Judgement) -> inventory_pb2.ApplyEventResponse:
    """Writes the verdict on a state."""
    return inventory_pb2.ApplyEventResponse(
        verdict=inventory_pb2.Verdict.Value(f"VERDICT_{judgement.verdict}"),
        reason=judgement.refusal,
        cancelled_bookings=judgement.cancelled_bookings,
        inventory_revision=judgement.inventory_rev,
    )


def place(found: catalogue_pb2.EventPlace) -> Place:
    """Reads where and when an event is."""
    return Place(
        revision=found.revision,
        starts_at=moment(found, "starts_at"),
        ends_at=moment(found, "ends_at"),
        time_zone=found.time_zone,
        venue=found.venue,
        room=found.room,
    )


def seat_plan(serialized: bytes) -> Plan:
    """Parses a plan that events has serialized."""
    plan = seat_plans_pb2.SeatPlan.FromString(serialized)
    areas = [Area(area.section, area.places, area.type) for area in plan.areas]
    focal_point = plan.focal_point.x, plan.focal_point.y
    return Plan(plan.id, [_row(row) for row in plan.rows], areas, focal_point)


def _price(state: catalogue_pb2.EventState) -> money_pb2.Money | None:
    """Returns the price of a seat; zero if only some types of seats have a price."""
    if state.HasField("price"):
        return state.price
    for price in state.seat_type_prices.values():
        return money_pb2.Money(amount_minor=0, currency=price.currency)
    return None


def _row(row: seat_plans_pb2.SeatRow) -> Row:
    """Reads a row; indices in the message count from 1."""
    numbers = list(row.numbers)
    return Row(
        row.section,
        row.row,
        numbers,
        list(row.types) or [row.type] * len(numbers),
        list(row.xs),
        list(row.ys),
        _indices(row.accessible),
        _indices(row.companion),
        _indices(row.aisles_after),
        {index - 1: label for index, label in row.labels.items()},
    )


def _indices(counted_from_one: Iterable[int]) -> frozenset[int]:
    return frozenset(index - 1 for index in counted_from_one)


def _optional(message: Message, field: str) -> Any:
    return getattr(message, field) if message.HasField(field) else None
