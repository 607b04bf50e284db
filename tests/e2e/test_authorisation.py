"""Who may do what: each line of authorisation.txt, over gRPC and over every route."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import text_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.json_format import ParseDict
from google.protobuf.message_factory import GetMessageClass
from google.rpc.status_pb2 import Status

from boxoffice.rest.v1 import reasons_pb2
from gateway.contract.bindings import WHOLE, Binding, read_bindings
from services.kit.rpc.errors import Refusal, refusal_from_status, refusal_of
from tests.e2e.scenery import EXPENDING, REQUESTS, Actor, Scenery
from tests.e2e.system import System

SECONDS = 30
TABLE = (Path(__file__).parent / "authorisation.txt").read_text(encoding="utf-8")
HEAD, *LINES = [line for line in TABLE.splitlines() if line and not line.startswith("#")]
WIDTH = HEAD.index("nobody")
CALLERS = HEAD[WIDTH:].split()
ROWS = {
    line[:WIDTH].strip(): dict(zip(CALLERS, line[WIDTH:].split(), strict=True)) for line in LINES
}
OK, HIDDEN = "ok", "~"


def methods() -> Mapping[str, MethodDescriptor]:
    """Finds every RPC of the contract: `Service.Rpc`."""
    image = FileDescriptorSet.FromString((files("boxoffice") / "contract.binpb").read_bytes())
    modules = [import_module(f"{f.name[:-6].replace('/', '.')}_pb2") for f in image.file]
    services = [s for module in modules for s in module.DESCRIPTOR.services_by_name.values()]
    return {f"{s.name}.{method.name}": method for s in services for method in s.methods}


def rpc_of(row: str) -> str:
    """Gives the RPC that a line is about, without what it says of the case."""
    return row.partition(" ")[0]


METHODS = methods()
ROUTES = [
    (row, binding)
    for row in ROWS
    for binding in read_bindings([METHODS[rpc_of(row)].containing_service])
    if binding.rpc.name == METHODS[rpc_of(row)].name
]


@pytest.fixture(scope="module")
def scenery(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenery]:
    """Sets up people and events, beside a second system on the same database: open access off."""
    folder = tmp_path_factory.mktemp("closed")
    with (
        System(system.database, folder, BOXOFFICE_OPEN_ACCESS="false") as closed,
        contextlib.ExitStack() as stack,
    ):
        yield Scenery(system, closed, stack)


def test_every_rpc_has_its_line() -> None:
    """Nobody adds one without saying who may call it; nor is there a line too many."""
    assert {rpc_of(row) for row in ROWS} == METHODS.keys()
    assert ROWS.keys() == REQUESTS.keys()


@pytest.mark.parametrize("row", ROWS)
def test_over_grpc(scenery: Scenery, row: str) -> None:
    """Straight at the port of the service, past the gateway."""
    answers = {
        actor.name: over_grpc(scenery, actor, METHODS[rpc_of(row)], row)
        for actor in actors(scenery, row)
    }
    assert answers == ROWS[row]


@pytest.mark.parametrize(
    ("row", "binding"), ROUTES, ids=[f"{b.http_method} {b.path} {row}" for row, b in ROUTES]
)
def test_over_http(scenery: Scenery, row: str, binding: Binding) -> None:
    """Through the gateway, which knows no service by its key."""
    asking = actors(scenery, row)
    answers = {actor.name: over_http(scenery, actor, binding, row) for actor in asking}
    assert answers == {**ROWS[row], "service": "401"}


def actors(scenery: Scenery, row: str) -> list[Actor]:
    """Gives those who ask."""
    if row not in EXPENDING:
        return scenery.actors
    return [scenery.expendable(actor) for actor in scenery.actors]


def over_grpc(scenery: Scenery, actor: Actor, method: MethodDescriptor, row: str) -> str:
    """Makes the call, and gives the answer as the table spells it."""
    asked: Any = GetMessageClass(method.input_type)()
    ParseDict(REQUESTS[row](scenery, actor), asked)
    is_batch = bool(getattr(asked, "items", ())) and hasattr(asked.items[0], "authorization")
    # Whose an item of a batch is, the item says.
    metadata = () if is_batch else tuple(actor.headers.items())
    channel = scenery.channel(actor, method)
    make: Any = channel.unary_stream if method.server_streaming else channel.unary_unary
    call: Any = make(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=type(asked).SerializeToString,
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    try:
        response = call(asked, timeout=SECONDS, metadata=metadata)
        if method.server_streaming:
            response = next(response)
    except grpc.RpcError as error:
        refusal = refusal_of(error)  # type: ignore[arg-type]
        return spelled(refusal) if refusal else str(error)
    if is_batch and response.results[0].HasField("error"):
        return spelled(refusal_from_status(Status.FromString(response.results[0].error)))
    return shown(scenery, row, text_format.MessageToString(response, as_utf8=True))


def over_http(scenery: Scenery, actor: Actor, binding: Binding, row: str) -> str:
    """Makes the request, and gives the answer as the table spells it."""
    asked = REQUESTS[row](scenery, actor)
    asked.pop("update_mask", None)
    path = binding.path.format(**{name: asked.pop(name) for name in binding.variables})
    body = asked if binding.body == WHOLE else asked.pop(binding.body, None)
    response = scenery.client(actor).request(
        binding.http_method,
        path,
        params=None if binding.body == WHOLE else asked,
        # REST leaves out what the names of an enum begin with.
        json=json.loads(json.dumps(body).replace("SCOPE_", "")) if binding.body else None,
        headers=actor.headers,
    )
    if response.is_success:
        return shown(scenery, row, json.dumps(response.json()) if response.content else "")
    assert response.json().keys() == {"error"}, response.text
    return str(response.status_code)


def shown(scenery: Scenery, row: str, text: str) -> str:
    """Tells whether a success shows what the row is about."""
    word = scenery.words.get(row, "")
    return OK if word in text else HIDDEN


def spelled(refusal: Refusal | None) -> str:
    """Spells a refusal as its HTTP status."""
    assert refusal is not None
    value = reasons_pb2.Reason.DESCRIPTOR.values_by_name[f"REASON_{refusal.reason}"]
    status = value.GetOptions().Extensions[reasons_pb2.reason].status
    assert not refusal.violations, refusal.violations
    return str(status)
