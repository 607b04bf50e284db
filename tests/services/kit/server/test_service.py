import asyncio

import grpc
import pytest
from pydantic_settings import SettingsConfigDict

from boxoffice.bookings.v1 import bookings_pb2, bookings_pb2_grpc
from services.kit.auth import trusted_keys
from services.kit.auth.issuer import IssuerState
from services.kit.process.settings import ServiceSettings
from services.kit.server.service import Service
from tests.services.issuer import ScriptedIssuer, account
from tests.services.kit.serving import scripted

SLOW_SECONDS = 0.05


class ServedSettings(ServiceSettings):
    """Settings of a service on any port."""

    model_config = SettingsConfigDict(env_prefix="SERVED_")
    database_url: str = "postgresql://served@localhost/served"
    listen: str = "127.0.0.1:0"


class SlowIssuer(ScriptedIssuer):
    """An issuer that takes longer than a token may wait."""

    async def state(self) -> IssuerState:
        """Answers after a while."""
        await asyncio.sleep(SLOW_SECONDS)
        return await super().state()


async def test_a_service_has_the_keys_before_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica that replaces another could refuse valid tokens during its first moments."""
    monkeypatch.setattr(trusted_keys, "WAIT_SECONDS", 0)
    issuer, ada = SlowIssuer(), account("ada")
    service = Service(ServedSettings(), issuer)
    bookings_pb2_grpc.add_BookingsServiceServicer_to_server(scripted(), service.grpc)
    async with (
        service.serve([]) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        reserve = bookings_pb2_grpc.BookingsServiceStub(channel).Reserve
        asked = bookings_pb2.ReserveRequest(event_id=1, user_id=ada)
        assert await reserve(asked, metadata=issuer.bearer(ada)) == bookings_pb2.ReserveResponse()
