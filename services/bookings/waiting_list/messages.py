"""Writes protobuf messages of the waiting list, and of notices to served users."""

from boxoffice.accounts.v1 import notices_pb2
from boxoffice.bookings.v1 import waiting_list_pb2
from services.bookings.asks import expect
from services.bookings.inventory import Seats
from services.bookings.inventory.commands import (
    Booked,
    Cancelled,
    LeftLine,
    Outcome,
    Waiting,
)
from services.bookings.waiting_list.notices import Notice
from services.bookings.waiting_list.waiting_list import Entry, EntryChange, Standing
from services.kit.rpc.timestamps import timestamp


def book_response(event_key: str, outcome: Outcome) -> waiting_list_pb2.BookResponse:
    """Writes a new booking, an offer that the user has, or a place in line."""
    if isinstance(outcome, Waiting):
        return waiting_list_pb2.BookResponse(
            result=waiting_list_pb2.BookResult(
                status="waiting",
                event_id=event_key,
                user_id=outcome.user_id,
                seat_count=outcome.seat_count,
                position=outcome.position,
            ),
            waits=True,
            inventory_revision=outcome.rev,
        )
    made = expect(outcome, Booked)
    booking = made.booking
    return waiting_list_pb2.BookResponse(
        result=waiting_list_pb2.BookResult(
            status="held" if booking.status == "HELD" else "booked",
            event_id=event_key,
            user_id=booking.user_id,
            seat_count=booking.seat_count,
            booking_id=booking.id,
            expires_at=timestamp(booking.expires_at),
        ),
        inventory_revision=made.rev,
    )


def cancel_response(outcome: Outcome) -> waiting_list_pb2.CancelResponse:
    """Writes a cancellation, or that the user has left the line."""
    left = isinstance(outcome, LeftLine)
    done = outcome if isinstance(outcome, LeftLine) else expect(outcome, Cancelled)
    return waiting_list_pb2.CancelResponse(
        result=waiting_list_pb2.CancelResult(
            status="left_waiting_list" if left else "cancelled", promoted=done.served > 0
        ),
        inventory_revision=done.rev,
    )


def status_response(
    event_key: str, seats: Seats, standing: Standing | None
) -> waiting_list_pb2.GetEventStatusResponse:
    """Writes the seats of an event and, if asked for, the standing of a user."""
    return waiting_list_pb2.GetEventStatusResponse(
        status=waiting_list_pb2.EventSeats(
            event_id=event_key,
            total_tickets=seats.capacity,
            available_tickets=seats.capacity - seats.booked,
            waiting_list=seats.waiting,
            you=_standing(standing) if standing else None,
        ),
        inventory_revision=seats.rev,
    )


def entry(found: Entry) -> waiting_list_pb2.WaitingListEntry:
    """Writes an entry of a waiting list."""
    return waiting_list_pb2.WaitingListEntry(
        user_id=found.user_id,
        seat_count=found.seat_count,
        state=waiting_list_pb2.WaitingState.Value(f"WAITING_STATE_{found.state}"),
        position=found.position,
        booking_id=found.booking_id,
        joined_at=timestamp(found.joined_at),
    )


def entry_change(change: EntryChange) -> waiting_list_pb2.WatchWaitingListResponse:
    """Writes a change of an entry of a waiting list."""
    return waiting_list_pb2.WatchWaitingListResponse(
        change=waiting_list_pb2.WaitingListChange(
            revision=change.rev,
            user_id=change.user_id,
            state=waiting_list_pb2.WaitingState.Value(f"WAITING_STATE_{change.state}"),
            position=change.position,
            booking_id=change.booking_id,
            changed_at=timestamp(change.changed_at),
        )
    )


def notice(due: Notice) -> notices_pb2.Notice:
    """Writes a notice: of an offer if it has an end, else of a booking."""
    is_offer = due.offer_expires_at is not None
    return notices_pb2.Notice(
        id=str(due.id),
        account_id=due.user_id,
        kind=notices_pb2.NOTICE_KIND_OFFERED if is_offer else notices_pb2.NOTICE_KIND_PROMOTED,
        event_name=due.event_name,
        starts_at=timestamp(due.event_starts_at),
        seat_count=due.seat_count,
        reference=str(due.reference),
        offer_expires_at=timestamp(due.offer_expires_at),
    )


def _standing(standing: Standing) -> waiting_list_pb2.Standing:
    return waiting_list_pb2.Standing(
        status=standing.status,
        position=standing.position,
        offer_expires_at=timestamp(standing.offer_expires_at),
        expires_at=timestamp(standing.expires_at),
    )
