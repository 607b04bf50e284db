"""How a test makes, changes and finds screenings."""

from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from boxoffice.events.v1 import screenings_pb2
from tests.services.events.cinema import EVENING, Cinema
from tests.services.events.client import SERVICE, Client


async def create(
    client: Client, cinema: Cinema, *, request_id: str = "", **fields: Any
) -> screenings_pb2.Screening:
    """Creates a screening, in the evening and in the large room by default."""
    usual: dict[str, Any] = {
        "movie_id": cinema.movie_id,
        "room_id": cinema.large,
        "starts_at": EVENING,
    }
    request = screenings_pb2.CreateScreeningRequest(
        screening=screenings_pb2.Screening(**(usual | fields)), request_id=request_id
    )
    response: screenings_pb2.CreateScreeningResponse = await client.call(
        client.screenings.CreateScreening, request, SERVICE
    )
    return response.screening


async def update(
    client: Client, screening_id: int, *, if_match: str = "", request_id: str = "", **fields: Any
) -> screenings_pb2.UpdateScreeningResponse:
    """Changes the fields of a screening; None clears one."""
    given = {name: value for name, value in fields.items() if value is not None}
    request = screenings_pb2.UpdateScreeningRequest(
        screening_id=screening_id,
        screening=screenings_pb2.Screening(**given),
        update_mask=FieldMask(paths=list(fields)),
        if_match=if_match,
        request_id=request_id,
    )
    response: screenings_pb2.UpdateScreeningResponse = await client.call(
        client.screenings.UpdateScreening, request, SERVICE
    )
    return response


async def delete(
    client: Client, screening_id: int, **wanted: Any
) -> screenings_pb2.DeleteScreeningResponse:
    """Deletes a screening."""
    request = screenings_pb2.DeleteScreeningRequest(screening_id=screening_id, **wanted)
    response: screenings_pb2.DeleteScreeningResponse = await client.call(
        client.screenings.DeleteScreening, request, SERVICE
    )
    return response


async def get(client: Client, screening_id: int) -> screenings_pb2.Screening:
    """Gets a screening."""
    request = screenings_pb2.GetScreeningRequest(screening_id=screening_id)
    response: screenings_pb2.GetScreeningResponse = await client.call(
        client.screenings.GetScreening, request
    )
    return response.screening


async def listed(client: Client, **wanted: Any) -> screenings_pb2.ListScreeningsResponse:
    """Lists a page of screenings."""
    request = screenings_pb2.ListScreeningsRequest(**wanted)
    response: screenings_pb2.ListScreeningsResponse = await client.call(
        client.screenings.ListScreenings, request
    )
    return response


async def ids(client: Client, **wanted: Any) -> list[int]:
    """Lists the ids of a page of screenings."""
    return [screening.id for screening in (await listed(client, **wanted)).screenings]
