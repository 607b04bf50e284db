"""Events, asked over gRPC."""

from boxoffice.events.v1 import catalogue_pb2, catalogue_pb2_grpc
from services.bookings import messages
from services.bookings.errors import EventNotFound
from services.bookings.inventory import EventState
from services.kit import channel
from services.kit.authentication import SERVICE_SCHEME
from services.kit.errors import Received

TIMEOUT_SECONDS = 1.0


class EventsClient:
    """Asks events for the state of an event, with the services' own key."""

    def __init__(
        self, stub: catalogue_pb2_grpc.CatalogueServiceAsyncStub, service_key: str
    ) -> None:
        self._stub = stub
        self._authorization = SERVICE_SCHEME + service_key

    async def get_state(self, event_id: int) -> EventState:
        """Gets the state of an event; raises EventNotFound, or another Refusal for no answer."""
        try:
            response = await channel.call(
                self._stub.GetEventState,
                catalogue_pb2.GetEventStateRequest(event_id=event_id),
                timeout_seconds=TIMEOUT_SECONDS,
                authorization=self._authorization,
            )
        except Received as refusal:
            if refusal.reason == EventNotFound.reason:
                raise EventNotFound from refusal
            raise
        return messages.event_state(response.state)
