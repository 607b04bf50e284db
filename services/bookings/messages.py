"""Protobuf messages out of what the nouns of bookings give, and back."""

from datetime import UTC, datetime
from functools import lru_cache

from google.protobuf.timestamp_pb2 import Timestamp

from boxoffice.accounts.v1 import notices_pb2
from boxoffice.bookings.v1 import bookings_pb2, inventory_pb2, waiting_list_pb2
from boxoffice.events.v1 import catalogue_pb2, events_pb2
from boxoffice.type.v1 import money_pb2
from services.bookings import waiting_list
from services.bookings.bookings import Booking
from services.bookings.cancellations import Cancelled
from services.bookings.decisions import Reservation, Waiting
from services.bookings.following import News, Place
from services.bookings.inventory import EventState, Judgement, Seats
from services.bookings.notices import Notice
from services.bookings.waiting_list import Entry, EntryChange, Given, Tickets
from services.kit.timestamps import timestamp


def booking(found: Booking) -> bookings_pb2.Booking:
    """Writes a booking."""
    return bookings_pb2.Booking(
        id=found.id,
        reference=str(found.reference),
        event_id=found.event_id,
        user_id=found.user_id,
        status=bookings_pb2.BookingStatus.Value(f"BOOKING_STATUS_{found.status}"),
        seat_count=found.seat_count,
        price=_money(found.price_amount_minor, found.price_currency),
        created_at=timestamp(found.created_at),
        expires_at=timestamp(found.expires_at),
        cancelled_at=timestamp(found.cancelled_at),
        event=bookings_pb2.BookedEvent(
            id=found.event_id, name=found.event_name, starts_at=timestamp(found.event_starts_at)
        ),
    )


def reserve_response(made: Reservation) -> bookings_pb2.ReserveResponse:
    """Writes a reservation."""
    response = bookings_pb2.ReserveResponse()
    write_reservation(made, response)
    return response


def write_reservation(made: Reservation, response: bookings_pb2.ReserveResponse) -> None:
    """Writes a reservation in its place: a message is copied wherever it is put into another."""
    reservation = response.reservation
    reservation.booking_id = made.booking_id
    reservation.event_id = made.event_id
    reservation.user_id = made.user_id
    reservation.created_at.CopyFrom(_shared_timestamp(made.created_at))
    response.inventory_revision = made.rev
    response.replayed = made.replayed


def create_response(made: Reservation) -> bookings_pb2.CreateBookingResponse:
    """Writes a booking that was just made."""
    return bookings_pb2.CreateBookingResponse(
        booking=booking(made.booking) if made.booking else None,
        inventory_revision=made.rev,
        replayed=made.replayed,
    )


def cancel_response(cancelled: Cancelled) -> bookings_pb2.CancelBookingByReferenceResponse:
    """Writes a booking that was just cancelled."""
    return bookings_pb2.CancelBookingByReferenceResponse(
        booking=booking(cancelled.booking),
        inventory_revision=cancelled.rev,
        replayed=cancelled.replayed,
    )


def ticket_response(
    request: waiting_list_pb2.BookTicketRequest, made: Reservation | Waiting
) -> waiting_list_pb2.BookTicketResponse:
    """Writes a ticket, or a place in line."""
    waits = isinstance(made, Waiting)
    return waiting_list_pb2.BookTicketResponse(
        ticket=waiting_list_pb2.BookedTicket(
            status="waiting" if waits else "booked",
            event_id=request.event_id,
            user_id=made.user_id,
            seat_count=made.seat_count,
            booking_id=None if isinstance(made, Waiting) else made.booking_id,
            position=made.position if isinstance(made, Waiting) else None,
        ),
        waits=waits,
        inventory_revision=made.rev,
        replayed=made.replayed,
    )


def give_back_response(given: Given) -> waiting_list_pb2.CancelTicketResponse:
    """Writes what giving a ticket back did."""
    return waiting_list_pb2.CancelTicketResponse(
        cancelled_ticket=waiting_list_pb2.CancelledTicket(
            status="left_waiting_list" if given.outcome == "LEFT" else "cancelled",
            promoted=given.promoted,
        ),
        inventory_revision=given.rev,
        replayed=given.replayed,
    )


def status_response(
    event: Tickets, place: waiting_list.Place | None
) -> waiting_list_pb2.GetEventStatusResponse:
    """Writes the tickets of an event, and where somebody stands if that was asked."""
    you = place and waiting_list_pb2.Place(
        status=place.status,
        position=place.position,
        offer_expires_at=timestamp(place.offer_expires_at),
    )
    return waiting_list_pb2.GetEventStatusResponse(
        status=waiting_list_pb2.EventTickets(
            event_id=event.key,
            total_tickets=event.capacity,
            available_tickets=event.available,
            waiting_list=event.waiting,
            you=you or None,
        ),
        inventory_revision=event.rev,
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


def availability_response(seats: Seats) -> bookings_pb2.GetAvailabilityResponse:
    """Writes the seats of an event."""
    return bookings_pb2.GetAvailabilityResponse(
        availability=bookings_pb2.Availability(
            event_id=seats.event_id,
            total_seats=seats.capacity,
            booked=seats.booked,
            left=seats.capacity - seats.booked,
        ),
        inventory_revision=seats.rev,
        waiting=seats.waiting,
    )


def apply_response(judgement: Judgement) -> inventory_pb2.ApplyEventResponse:
    """Writes a judgement."""
    return inventory_pb2.ApplyEventResponse(
        verdict=inventory_pb2.Verdict.Value(f"VERDICT_{judgement.verdict}"),
        reason=judgement.refusal,
        cancelled_bookings=judgement.cancelled_bookings,
        inventory_revision=judgement.inventory_rev,
    )


def event_state(state: catalogue_pb2.EventState) -> EventState:
    """Reads a state of an event; a status that is not known counts as closed for sale."""
    known = events_pb2.EventStatus.values()
    status = state.status if state.status in known else events_pb2.EVENT_STATUS_COMPLETED
    return EventState(
        event_id=state.event_id,
        rev=state.revision,
        name=state.name,
        capacity=state.total_seats,
        status=events_pb2.EventStatus.Name(status).removeprefix("EVENT_STATUS_"),
        deleted=state.deleted,
        starts_at=_moment(state.starts_at) if state.HasField("starts_at") else None,
        sales_open_at=_moment(state.sales_open_at) if state.HasField("sales_open_at") else None,
        sales_close_at=_moment(state.sales_close_at) if state.HasField("sales_close_at") else None,
        price_amount_minor=state.price.amount_minor if state.HasField("price") else None,
        price_currency=state.price.currency if state.HasField("price") else None,
        one_booking_per_user=(
            state.one_booking_per_user if state.HasField("one_booking_per_user") else None
        ),
        organizer_id=state.organizer_id if state.HasField("organizer_id") else None,
        key=state.key if state.HasField("key") else None,
        epoch=state.epoch,
    )


def news(response: catalogue_pb2.ListChangesResponse, place: Place) -> News:
    """Reads the changes that follow a place in the feed."""
    changes = response.changes
    last = changes[-1].sequence if changes else place.sequence
    return News(
        [event_state(change.state) for change in changes],
        Place(response.epoch, last),
        _moment(changes[0].changed_at) if changes else None,
        is_last=last >= response.head_sequence,
    )


def notice(waiting: Notice) -> notices_pb2.Notice:
    """Writes what accounts is to tell somebody."""
    is_offer = waiting.offer_expires_at is not None
    return notices_pb2.Notice(
        id=str(waiting.id),
        account_id=waiting.user_id,
        kind=notices_pb2.NOTICE_KIND_OFFERED if is_offer else notices_pb2.NOTICE_KIND_PROMOTED,
        event_name=waiting.event_name,
        starts_at=timestamp(waiting.event_starts_at),
        seat_count=waiting.seat_count,
        reference=str(waiting.reference),
        offer_expires_at=timestamp(waiting.offer_expires_at),
    )


def status_name(status: bookings_pb2.BookingStatus.ValueType) -> str:
    """Gives a status as it is stored."""
    return bookings_pb2.BookingStatus.Name(status).removeprefix("BOOKING_STATUS_")


@lru_cache(maxsize=16)
def _shared_timestamp(moment: datetime) -> Timestamp:
    """Gives a time to copy from: all reservations of a batch have the same."""
    written = Timestamp()
    written.FromDatetime(moment)
    return written


def _moment(written: Timestamp) -> datetime:
    return written.ToDatetime(tzinfo=UTC)


def _money(amount_minor: int | None, currency: str | None) -> money_pb2.Money | None:
    if amount_minor is None or currency is None:
        return None
    return money_pb2.Money(amount_minor=amount_minor, currency=currency)
