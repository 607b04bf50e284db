"""The contract of sample.proto, and endpoints of it whose service is a function of the test."""

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import grpc_tools  # type: ignore[import-untyped]
from google.api import httpbody_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_tools import protoc

from boxoffice.rest.v1 import rest_pb2
from buf.validate import validate_pb2
from gateway.admission.gate import CredentialCheck
from gateway.contract.bindings import Binding
from gateway.contract.messages import find_message
from gateway.contract.reader import read_bindings
from gateway.endpoint import Endpoint
from gateway.http.messages import Handler
from gateway.http.middleware.representations import Representations
from gateway.http.routing import Route
from gateway.rpc.call import CallContext
from services.kit.auth.authentication import Authenticator

HERE = Path(__file__).parent
PROTOS = HERE.parents[1] / "protos"
WELL_KNOWN = Path(grpc_tools.__file__).parent / "_proto"
IMPORTED = (httpbody_pb2, rest_pb2, validate_pb2)
"""Modules whose files must be in the pool before the sample is."""


def binding(rpc: str) -> Binding:
    """Returns the binding of a method of the sample."""
    return next(found for found in _bindings() if found.rpc.name == rpc)


def message(name: str, **fields: Any) -> Any:
    """Makes a message of the sample."""
    _bindings()
    return GetMessageClass(find_message(f"tests.sample.v1.{name}"))(**fields)


def endpoint(rpc: str, service: Callable[[Any], Message | Exception]) -> Handler:
    """Makes the endpoint of a method, inside the layer that compresses; `service` is its RPC."""

    async def call(request: Any, context: CallContext) -> Any:
        return service(request)

    found = binding(rpc)
    admission = CredentialCheck(Authenticator(open_access=True, service_key=""), found)
    handle = Endpoint(found, call, admission)
    route = Route(
        found.http_method,
        found.path,
        handle,
        media_type=found.media_type.encode(),
        has_encoding=found.has_encoding,
    )
    return Representations().wrap(route, handle)


@cache
def _bindings() -> tuple[Binding, ...]:
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(folder) / "sample.binpb"
        roots = (HERE, PROTOS, PROTOS / "third_party", WELL_KNOWN)
        includes = (f"--proto_path={root}" for root in roots)
        status = protoc.main(
            ["protoc", *includes, f"--descriptor_set_out={compiled}", "sample.proto"]
        )
        assert status == 0
        files = descriptor_pb2.FileDescriptorSet.FromString(compiled.read_bytes())
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(files.file[0].SerializeToString())
    return tuple(read_bindings([pool.FindServiceByName("tests.sample.v1.SampleService")]))
