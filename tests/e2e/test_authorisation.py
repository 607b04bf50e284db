"""Checks each line of authorisation.txt over gRPC and over every route."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
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

from boxoffice.methods import is_read
from boxoffice.rest.v1 import reasons_pb2, rest_pb2
from gateway.contract.bindings import WHOLE, Binding
from gateway.contract.reader import read_bindings
from services.kit.rpc.errors import Refusal, refusal_from_call, refusal_from_status
from tests.e2e.authorisation_data import Actor, AuthorisationData
from tests.e2e.authorisation_requests import EXPENDING, REQUESTS
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
NOT_AUDITED = {
    "TicketsService.CheckInTicket": "`ticket_scans` keeps every scan",
    "InventoryService.ApplyEvent": "events does it, and has an entry",
    "IdentityService.ResolveApiKey": "notes only that a key was used",
    "NoticesService.SendNotices": "letters about what buyers did",
}
"""Changes without an entry in the audit log, and why."""


def methods() -> Mapping[str, MethodDescriptor]:
    """Returns every RPC of the contract by its name, `Service.Rpc`."""
    image = FileDescriptorSet.FromString((files("boxoffice") / "contract.binpb").read_bytes())
    modules = [import_module(f"{f.name[:-6].replace('/', '.')}_pb2") for f in image.file]
    services = [s for module in modules for s in module.DESCRIPTOR.services_by_name.values()]
    return {f"{s.name}.{method.name}": method for s in services for method in s.methods}


def rpc_of(row: str) -> str:
    """Returns the RPC of a line, without the case."""
    return row.partition(" ")[0]


METHODS = methods()
ROUTES = [
    (row, binding)
    for row in ROWS
    for binding in read_bindings([METHODS[rpc_of(row)].containing_service])
    if binding.rpc.name == METHODS[rpc_of(row)].name
]


@pytest.fixture(scope="module")
def data(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuthorisationData]:
    """Creates the data, with a second system on the same database: open access off."""
    folder = tmp_path_factory.mktemp("closed")
    with (
        System(system.database, folder, BOXOFFICE_OPEN_ACCESS="false") as closed,
        contextlib.ExitStack() as stack,
    ):
        yield AuthorisationData(system, closed, stack)


def test_every_rpc_has_its_line() -> None:
    """An RPC could be added without a rule of who may call it."""
    assert {rpc_of(row) for row in ROWS} == METHODS.keys()
    assert ROWS.keys() == REQUESTS.keys()


def test_what_only_organizers_admins_and_operators_may_do_is_audited() -> None:
    """A change by somebody with power could leave no trace."""
    restricted = {
        name
        for name, method in METHODS.items()
        if not is_read(method) and is_restricted([ROWS[row] for row in ROWS if rpc_of(row) == name])
    }
    rules = {
        name: method.GetOptions().Extensions[rest_pb2.method] for name, method in METHODS.items()
    }
    audited = {name for name, rule in rules.items() if rule.HasField("audit")}
    assert restricted - audited == NOT_AUDITED.keys()
    # Items of a batch do not pass the layer that records calls.
    assert not any(rules[name].batched for name in audited)


def is_restricted(rows: Sequence[Mapping[str, str]]) -> bool:
    """Returns whether users may not do something that others, or only services, may do."""
    return all(row["user"] not in {OK, "422"} for row in rows) and any(
        row[caller] == OK for row in rows for caller in ("owner", "admin", "service")
    )


@pytest.mark.parametrize("row", ROWS)
def test_over_grpc(data: AuthorisationData, row: str) -> None:
    """A service could admit a caller that only the gateway refuses."""
    answers = {
        actor.name: over_grpc(data, actor, METHODS[rpc_of(row)], row) for actor in actors(data, row)
    }
    assert answers == ROWS[row]


@pytest.mark.parametrize(
    ("row", "binding"), ROUTES, ids=[f"{b.http_method} {b.path} {row}" for row, b in ROUTES]
)
def test_over_http(data: AuthorisationData, row: str, binding: Binding) -> None:
    """A route could admit other callers than its RPC, or a service key from outside."""
    callers = actors(data, row)
    answers = {actor.name: over_http(data, actor, binding, row) for actor in callers}
    assert answers == {**ROWS[row], "service": "401"}


def actors(data: AuthorisationData, row: str) -> list[Actor]:
    """Returns the callers of a row."""
    if row not in EXPENDING:
        return data.actors
    return [data.expendable(actor) for actor in data.actors]


def over_grpc(data: AuthorisationData, actor: Actor, method: MethodDescriptor, row: str) -> str:
    """Makes the call; returns the outcome as the table has it."""
    asked: Any = GetMessageClass(method.input_type)()
    ParseDict(REQUESTS[row](data, actor), asked)
    is_batch = bool(getattr(asked, "items", ())) and hasattr(asked.items[0], "authorization")
    # The items of a batch carry the credentials, the call has none.
    metadata = () if is_batch else tuple(actor.headers.items())
    channel = data.channel(actor, method)
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
        refusal = refusal_from_call(error)  # type: ignore[arg-type]
        return status_of(refusal) if refusal else str(error)
    if is_batch and response.results[0].HasField("error"):
        return status_of(refusal_from_status(Status.FromString(response.results[0].error)))
    return shown(data, row, text_format.MessageToString(response, as_utf8=True))


def over_http(data: AuthorisationData, actor: Actor, binding: Binding, row: str) -> str:
    """Sends the request; returns the outcome as the table has it."""
    asked = dict(REQUESTS[row](data, actor))
    asked.pop("update_mask", None)
    path = binding.path.format(**{name: asked.pop(name) for name in binding.variables})
    body = asked if binding.body == WHOLE else asked.pop(binding.body, None)
    response = data.client(actor).request(
        binding.http_method,
        path,
        params=None if binding.body == WHOLE else as_rest(asked),
        json=as_rest(body) if binding.body else None,
        headers=actor.headers,
    )
    if response.is_success:
        return shown(data, row, response.text)
    assert response.json().keys() == {"error"}, response.text
    return str(response.status_code)


def as_rest(value: Any) -> Any:
    """Returns a value as REST has it: the names of enums without what they begin with."""
    return json.loads(json.dumps(value).replace("EVENT_STATUS_", "").replace("SCOPE_", ""))


def shown(data: AuthorisationData, row: str, text: str) -> str:
    """Returns whether a success shows the resource of the row or hides it."""
    word = data.words.get(row, "")
    return OK if word in text else HIDDEN


def status_of(refusal: Refusal | None) -> str:
    """Returns the HTTP status of a refusal."""
    assert refusal is not None
    value = reasons_pb2.Reason.DESCRIPTOR.values_by_name[f"REASON_{refusal.reason}"]
    status = value.GetOptions().Extensions[reasons_pb2.reason].status
    assert not refusal.violations, refusal.violations
    return str(status)
