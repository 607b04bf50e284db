"""Server reflection, with which grpcurl lists and describes services and methods."""

from collections.abc import Sequence
from typing import Any, cast

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from grpc_reflection.v1alpha import reflection, reflection_pb2

REFLECTION_V1 = "grpc.reflection.v1.ServerReflection"


def add_reflection(services: Sequence[str], server: grpc.aio.Server) -> None:
    """Serves reflection of `services` as v1alpha, which the library has, and as v1.

    Both versions have the same messages on the wire.
    """
    names = (*services, reflection.SERVICE_NAME)
    # Not a pool, but it has the methods that reflection calls.
    symbols = cast(descriptor_pool.DescriptorPool, _Symbols())
    reflection.enable_server_reflection(names, server, symbols)
    servicer = reflection.aio.ReflectionServicer(names, symbols)
    method = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    methods = {"ServerReflectionInfo": method}
    handler = grpc.method_handlers_generic_handler(REFLECTION_V1, methods)
    server.add_generic_rpc_handlers((handler,))


class _Symbols:
    """The default descriptor pool, which also finds a method by its full name.

    Python's own does not, so grpcurl could list a method but not describe it.
    """

    def FindFileContainingSymbol(self, symbol: str) -> FileDescriptor:  # noqa: N802 - as the pool
        """Finds the file of a symbol; raises KeyError."""
        pool = descriptor_pool.Default()
        try:
            return pool.FindFileContainingSymbol(symbol)
        except KeyError:
            service, _, method = symbol.rpartition(".")
            return pool.FindServiceByName(service).methods_by_name[method].containing_service.file

    def __getattr__(self, name: str) -> Any:
        return getattr(descriptor_pool.Default(), name)
