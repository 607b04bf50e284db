"""A running bookings with one screening, for tests of its RPCs."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson

from boxoffice.bookings.v1 import seats_pb2
from boxoffice.events.v1 import seat_plans_pb2
from services.kit.rpc.callers import Role
from tests.conftest import Database
from tests.services.bookings.rooms import PLAN_ID, hall, serialized
from tests.services.bookings.serving import Running, bookings_serving
from tests.services.issuer import ScriptedIssuer, account, serve_identity

OWNER = account("owner")
EURO = {"currency": "EUR"}


@contextlib.asynccontextmanager
async def open_cinema(database: Database) -> AsyncIterator["Cinema"]:
    """Opens bookings beside a scripted issuer, with a screening that has an owner."""
    issuer = ScriptedIssuer()
    server, target = await serve_identity(issuer)
    plan = hall(2, 4, types=["REGULAR", "REGULAR", "REGULAR", "VIP"])
    try:
        async with bookings_serving(database, accounts_target=target) as running:
            running.catalogue.plans[PLAN_ID] = seat_plans_pb2.SeatPlan.FromString(serialized(plan))
            running.catalogue.put(
                1,
                total_seats=8,
                plan_id=PLAN_ID,
                organizer_id=OWNER,
                price={"amount_minor": 900, **EURO},
                seat_type_prices={"VIP": {"amount_minor": 1_500, **EURO}},
            )
            yield Cinema(running, issuer)
    finally:
        await server.stop(None)


@dataclass
class Cinema:
    """A running bookings with a screening: two rows of four seats, the last of each row VIP."""

    running: Running
    issuer: ScriptedIssuer

    async def call(self, name: str, request: Any, who: str = "", role: str = Role.USER) -> Any:
        """Calls an RPC as an account, or without a token."""
        metadata = self.issuer.bearer(who, role) if who else None
        return await getattr(self.running.seats, name)(request, metadata=metadata)

    async def hold(self, *seat_ids: int, who: str = "", **fields: Any) -> Any:
        """Holds seats."""
        user = {} if who else {"user_id": "guest"}
        values: dict[str, Any] = {"screening_id": 1, "seat_ids": seat_ids, **user, **fields}
        return await self.call("HoldSeats", seats_pb2.HoldSeatsRequest(**values), who)

    async def statuses(self) -> list[str]:
        """Lists the statuses of all seats in the map."""
        request = seats_pb2.RenderSeatMapRequest(screening_id=1)
        rendered = await self.call("RenderSeatMap", request)
        return [seat["status"] for seat in orjson.loads(rendered.body.data)["seats"]]

    async def release(self, reservation_id: str, who: str = "") -> Any:
        """Releases the seats of a reservation."""
        request = seats_pb2.ReleaseSeatsRequest(reservation_id=reservation_id)
        return await self.call("ReleaseSeats", request, who)

    async def get(self, reservation_id: str, who: str = "") -> Any:
        """Gets a reservation."""
        request = seats_pb2.GetSeatReservationRequest(reservation_id=reservation_id)
        return (await self.call("GetSeatReservation", request, who)).reservation

    async def block(self, *seat_ids: int, who: str = OWNER, role: str = Role.ORGANIZER) -> Any:
        """Blocks these seats and no others."""
        request = seats_pb2.SetBlockedSeatsRequest(screening_id=1, seat_ids=seat_ids)
        return await self.call("SetBlockedSeats", request, who, role)
