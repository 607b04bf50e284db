"""Properties of RPCs that the contract declares."""

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions


def is_read(method: MethodDescriptor) -> bool:
    """Returns whether an RPC changes nothing, so that it may always be called again."""
    return method.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS
