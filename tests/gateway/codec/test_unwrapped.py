"""Messages that JSON shows as the value of their only field."""

from typing import Any

import orjson
import pytest

from gateway.http.messages import Response
from gateway.reference import openapi
from services.kit.rpc.errors import ValidationFailed
from tests.gateway import sample
from tests.gateway.requests import request

SORTED = {
    "types": {"DELUXE": [1, 25], "STANDARD": []},
    "pairs": [[{"seat_id": 1}, {"seat_id": 2}], []],
}


async def sort(body: Any) -> Response:
    """Sends a body, which the service sends back."""

    def service(asked: Any) -> Any:
        return sample.message("SortSeatsResponse", types=asked.types, pairs=asked.pairs)

    asked = request("POST", "/sorted")._replace(
        headers={b"content-type": b"application/json"}, body=orjson.dumps(body)
    )
    return await sample.endpoint("SortSeats", service)(asked)


async def test_arrays_in_maps_and_in_arrays_go_there_and_back() -> None:
    """JSON would show names that mean nothing, since protobuf has no such arrays."""
    assert orjson.loads((await sort(SORTED)).body) == SORTED


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"types": {"DELUXE": {"numbers": [1]}}}, "types.DELUXE"),
        ({"types": {"DELUXE": [1, "2"]}}, "types.DELUXE[1]"),
        ({"types": {"DELUXE": [1, 0]}}, "types.DELUXE[1]"),
        ({"types": {"DELUXE": [1, 2, 3]}}, "types.DELUXE"),
        ({"pairs": [None]}, "pairs[0]"),
        ({"pairs": [[], [{"seat_id": 1}, {"seat_id": "2"}]]}, "pairs[1][1].seat_id"),
        ({"pairs": [[], [{"seat_id": 1}, {"seat_id": 0}]]}, "pairs[1][1].seat_id"),
    ],
)
async def test_a_wrong_inner_value_is_named_as_it_was_sent(body: Any, path: str) -> None:
    """A client would be told names that JSON leaves out."""
    with pytest.raises(ValidationFailed) as refused:
        await sort(body)
    assert [violation.path for violation in refused.value.violations] == [path]


def test_the_documentation_shows_the_arrays() -> None:
    """Generated clients would send objects where arrays are read."""
    schemas = openapi.document([sample.binding("SortSeats")], {})["components"]["schemas"]
    numbers = {"type": "integer", "format": "int32"}
    assert schemas["Numbers"] == {"type": "array", "items": numbers}
    assert schemas["NumbersInput"] == {
        "type": "array",
        "items": numbers | {"minimum": 1, "maximum": 2**31 - 1},
        "maxItems": 2,
    }
    assert schemas["SortSeatsResponse"]["properties"]["pairs"] == {
        "type": "array",
        "items": {"$ref": "#/components/schemas/SeatGroup"},
    }
    assert schemas["SeatGroup"]["items"] == {"$ref": "#/components/schemas/Seat"}
