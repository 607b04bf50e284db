"""Converts between protobuf messages and screenings."""

from boxoffice.events.v1 import screenings_pb2
from services.events.events import messages
from services.events.events.results import CreatedEvent, DeletedEvent, EventDetails
from services.events.requests import Responses
from services.kit.rpc.money import money
from services.kit.rpc.timestamps import timestamp


def screening(details: EventDetails) -> screenings_pb2.Screening:
    """Returns a screening as clients see it."""
    found = details.event
    return screenings_pb2.Screening(
        id=found.id,
        movie_id=found.movie_id,
        room_id=found.room_id,
        starts_at=timestamp(found.starts_at),
        ends_at=timestamp(found.ends_at),
        price=money(found.price_amount_minor, found.price_currency),
        seat_type_prices=messages.prices(found),
        orphan_rule=found.orphan_rule,
        refund_until=timestamp(found.refund_until),
        status=messages.status_of(found.status),
        theater_id=found.theater_id or 0,
        plan_id=found.plan_id or 0,
        total_seats=found.total_seats,
        available_seats=details.available_seats,
        version=found.revision,
        created_at=timestamp(found.created_at),
        updated_at=timestamp(found.updated_at),
    )


def _create_response(created: CreatedEvent) -> screenings_pb2.CreateScreeningResponse:
    details = EventDetails(created.event, created.event.total_seats)
    return screenings_pb2.CreateScreeningResponse(screening=screening(details))


def _update_response(details: EventDetails) -> screenings_pb2.UpdateScreeningResponse:
    return screenings_pb2.UpdateScreeningResponse(screening=screening(details))


def _delete_response(deleted: DeletedEvent) -> screenings_pb2.DeleteScreeningResponse:
    return screenings_pb2.DeleteScreeningResponse(
        deleted_screening=screenings_pb2.DeletedScreening(
            screening_id=deleted.event_id, cancelled_bookings=deleted.cancelled_bookings
        )
    )


RESPONSES: Responses = {
    "CreateScreening": _create_response,
    "UpdateScreening": _update_response,
    "DeleteScreening": _delete_response,
}
