"""Protobuf messages out of what the nouns of bookings give, and back."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from boxoffice.accounts.v1 import notices_pb2
from boxoffice.bookings.v1 import bookings_pb2, waiting_list_pb2
from boxoffice.events.v1 import catalogue_pb2, events_pb2
from services.bookings.catalogue.following import News
from services.bookings.inventory import EventState, Place, Seats
from services.bookings.reservations.reading import BookingDetails
from services.bookings.reservations.responses import booking_message
from services.bookings.waiting_list import waiting_list
from services.bookings.waiting_list.notices import Notice
from services.bookings.waiting_list.waiting_list import Entry, EntryChange, Tickets
from services.kit.rpc.timestamps import timestamp


def booking(found: BookingDetails) -> bookings_pb2.Booking:
    """Writes a booking as it was read."""
    return booking_message(found, found)


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


def _moment(written: Timestamp) -> datetime:
    return written.ToDatetime(tzinfo=UTC)
