"""Items of a batch of bookings, and their results."""

from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from boxoffice.bookings.v1 import (
    bookings_pb2,
    payments_pb2,
    seats_pb2,
    tickets_pb2,
    waiting_list_pb2,
)
from boxoffice.rest.v1 import batch_pb2
from services.kit.rpc.errors import refusal_from_status

METHODS = {
    method.input_type.name: f"/{service.full_name}/{method.name}"
    for module in (bookings_pb2, waiting_list_pb2, seats_pb2, tickets_pb2, payments_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


def item(request: Message, authorization: str = "", request_id: str = "") -> batch_pb2.BatchItem:
    """Returns the item of a request; its type determines the method."""
    return batch_pb2.BatchItem(
        method=METHODS[request.DESCRIPTOR.name],
        request=request.SerializeToString(),
        authorization=authorization,
        request_id=request_id,
    )


def batch(*requests: Message, skip_busy: bool = False) -> batch_pb2.BatchRequest:
    """Returns a batch of requests without credentials."""
    return batch_pb2.BatchRequest(items=map(item, requests), skip_busy=skip_busy)


def reason(result: batch_pb2.BatchResult) -> str:
    """Returns the reason of a refused item, or "" for success."""
    if not result.HasField("error"):
        return ""
    refusal = refusal_from_status(Status.FromString(result.error))
    assert refusal is not None
    return refusal.reason
