"""A gRPC server whose answers a test writes, speaking the contract's own messages."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from boxoffice.rest.v1 import batch_pb2
from gateway.services import SERVICES
from services.kit.rpc.errors import Refusal, abort

Answer: TypeAlias = Callable[[Any], Any]
BATCHES = batch_pb2.DESCRIPTOR.services_by_name["BatchService"]
SERVING = health_pb2.HealthCheckResponse.SERVING


@dataclass(frozen=True, slots=True)
class TransportError(Exception):
    """An RPC ends with a code that no ErrorInfo of ours explains."""

    code: grpc.StatusCode


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that arrived: the RPC's name, the request and the metadata."""

    rpc: str
    request: Any
    metadata: Mapping[str, Any]


@dataclass
class Script(grpc.GenericRpcHandler):
    """Answers by the RPC's name: a function of the request gives the response, or raises."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Serves every RPC that has a REST endpoint, and batches of them."""
        service, _, name = handler_call_details.method.lstrip("/").partition("/")
        declared = {known.full_name: known for known in (*SERVICES, BATCHES)}.get(service)
        rpc = None if declared is None else declared.methods_by_name.get(name)
        return None if rpc is None else self._handler(rpc)

    def _handler(self, rpc: MethodDescriptor) -> Any:
        async def answer(request: Message, context: Any) -> Message | None:
            metadata = dict(context.invocation_metadata())
            self.asked.append(Asked(rpc.name, request, metadata))
            try:
                response = self.answers[rpc.name](request)
                given: Message = await response if inspect.isawaitable(response) else response
                return given
            except Refusal as refusal:
                await abort(context, refusal)
            except TransportError as error:
                await context.abort(error.code, "scripted")
            return None

        return grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=GetMessageClass(rpc.input_type).FromString,
            response_serializer=GetMessageClass(rpc.output_type).SerializeToString,
        )


class ScriptedServer:
    """A script behind a real port, with health like a service's."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.health = HealthServicer()
        self._grpc = grpc.aio.server()
        self._grpc.add_generic_rpc_handlers([script])
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._grpc)

    async def start(self, port: int = 0) -> str:
        """Listens, and gives the address."""
        port = self._grpc.add_insecure_port(f"127.0.0.1:{port}")
        for name in ("", "database", *(service.full_name for service in SERVICES)):
            await self.health.set(name, SERVING)
        await self._grpc.start()
        return f"127.0.0.1:{port}"

    async def stop(self) -> None:
        """Drops everything."""
        await self._grpc.stop(0)
