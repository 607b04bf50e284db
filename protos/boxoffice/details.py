"""The details of a refusal: the message of Boxoffice in a google.rpc.Status."""

from google.protobuf import descriptor_pool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import status_pb2

_GOOGLE = "google.rpc."


def details_of(status: status_pb2.Status) -> Message | None:
    """Unpacks the message besides google.rpc's; None for a type that this release does not know."""
    for packed in status.details:
        name = packed.TypeName()
        if name.startswith(_GOOGLE):
            continue
        try:
            found = GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name))()
        except KeyError:
            return None
        packed.Unpack(found)
        return found
    return None
