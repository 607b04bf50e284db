"""The rows of assigned seats: statements that load and save who has them, and their maps."""

from collections.abc import Sequence

from services.bookings.inventory.seat_map import Block
from services.bookings.inventory.stock import Stock
from services.kit.database import queries
from services.kit.database.queries import as_json
from services.kit.database.round_trip import RoundTrip, prepared

SQL = queries.load(__file__)
FORGET_SEATS, MAP_SEATS, SAVE_SEATS = (
    prepared(name, SQL[name]) for name in ("forget_seats", "map_seats", "save_seats")
)
_BRACES = str.maketrans("[]", "{}")


def save(trip: RoundTrip, stocks: Sequence[Stock]) -> None:
    """Adds the statements that save the seats of stocks and their maps to a round trip."""
    if replanned := [stock for stock in stocks if stock.is_replanned]:
        numbers = [stock.event_id for stock in replanned]
        trip.call(FORGET_SEATS, {"event_ids": as_json(numbers).translate(_BRACES)})
        seated = [
            {"event_id": stock.event_id, "seats": stock.capacity}
            for stock in replanned
            if stock.plan_id is not None
        ]
        trip.call(MAP_SEATS, {"events": as_json(seated)})
    taken: list[dict[str, object]] = []
    moved: list[dict[str, object]] = []
    blocks: list[dict[str, object]] = []
    for stock in stocks:
        claimed = stock.seats.claims()
        for claim in claimed:
            rows = taken if claim.before is None else moved
            rows.append({"event_id": stock.event_id, **claim._asdict()})
        blocks += [_block(stock.event_id, block) for block in stock.seats.blocks(claimed)]
    if blocks:
        trip.call(
            SAVE_SEATS,
            {"taken": as_json(taken), "moved": as_json(moved), "blocks": as_json(blocks)},
        )


def _block(event_id: int, block: Block) -> dict[str, object]:
    return {
        "event_id": event_id,
        "block": block.number,
        "taken": block.taken.hex(),
        "sold": block.sold.hex(),
        "blocked": block.blocked.hex(),
        "claims": block.claims,
        "change": block.change,
    }
