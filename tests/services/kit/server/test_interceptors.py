import asyncio
from typing import Any

import grpc
import psycopg
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from prometheus_client import REGISTRY

from boxoffice.bookings.v1 import bookings_pb2, waiting_list_pb2, waiting_list_pb2_grpc
from services.kit.auth.authentication import ANONYMOUS, SERVICE
from services.kit.rpc import context
from services.kit.rpc.callers import Caller
from services.kit.rpc.errors import PermissionDenied, Refusal, RequestInProgress, refusal_from_call
from services.kit.server.interceptors import describe
from tests.services.kit.serving import (
    APPLY,
    AVAILABILITY,
    KEY,
    NAME,
    RESERVE,
    Context,
    Served,
    scripted,
    serving,
)

SECRET = "password of the database"


async def refused(call: Any) -> Refusal:
    """Awaits a call that must be refused; returns the refusal."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    refusal = refusal_from_call(failure.value)
    assert refusal is not None, failure.value
    return refusal


def counted(method: str, code: str, reason: str = "") -> float:
    """Reads how many calls of a method ended with a code and a reason."""
    labels = {"method": f"/{NAME}/{method}", "code": code, "reason": reason}
    return REGISTRY.get_sample_value("boxoffice_rpc_total", labels) or 0


def timed(method: str) -> float:
    """Reads how many calls of a method were timed."""
    labels = {"method": f"/{NAME}/{method}"}
    return REGISTRY.get_sample_value("boxoffice_rpc_seconds_count", labels) or 0


async def test_the_request_id_of_the_caller_is_kept() -> None:
    """The logs of one request could have another id in each process."""
    seen = []

    async def look(request: Any, call: Context) -> None:
        seen.append(context.request_id.get())

    async with serving(look) as served:
        await served.bookings.GetAvailability(AVAILABILITY, metadata=(("x-request-id", "abc"),))
    assert seen == ["abc"]


async def test_malformed_bytes_are_refused() -> None:
    """A malformed request could get no reason, or the name of an exception."""
    servicer = scripted()
    async with serving(servicer=servicer) as served:
        refusal = await refused(served.method(f"/{NAME}/GetAvailability")(b"\xff\xff"))
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.reason == "VALIDATION_ERROR"
    assert "DecodeError" not in str(refusal)
    assert servicer.requests == []


@pytest.mark.parametrize("given", [(), (("x-request-id", "x" * 129),), (("x-request-id", "a b"),)])
async def test_an_unusable_request_id_is_replaced(given: tuple[tuple[str, str], ...]) -> None:
    """A client could send control characters, or a huge text, into every log line."""
    seen = []

    async def look(request: Any, call: Context) -> None:
        seen.append(context.request_id.get())

    async with serving(look) as served:
        await served.bookings.GetAvailability(AVAILABILITY, metadata=given)
    assert len(seen[0]) == 32


async def test_concurrent_calls_have_separate_contexts() -> None:
    """A call could get the caller or request id of another one."""
    together = asyncio.Barrier(8)
    seen = {}

    async def look(request: Any, call: Context) -> None:
        await together.wait()
        seen[request.event_id] = context.request_id.get()

    async with serving(look) as served:
        await asyncio.gather(
            *(
                served.bookings.GetAvailability(
                    bookings_pb2.GetAvailabilityRequest(event_id=number),
                    metadata=(("x-request-id", str(number)),),
                )
                for number in range(1, 9)
            )
        )
    assert seen == {number: str(number) for number in range(1, 9)}


async def test_the_callers_deadline_is_noted() -> None:
    """Calls to other services could go on after the caller stopped waiting."""
    seen = []

    async def look(request: Any, call: Context) -> None:
        seen.append(context.remaining_seconds(60))

    async with serving(look) as served:
        await served.bookings.GetAvailability(AVAILABILITY, timeout=5)
        await served.bookings.GetAvailability(AVAILABILITY)
    # On the wire gRPC rounds a deadline up by some milliseconds.
    assert 0 < seen[0] < 5.1
    assert seen[1] == 60


async def test_the_text_of_an_unexpected_exception_is_hidden() -> None:
    """SQL or a secret in the text of an exception could reach a client."""

    async def fail(request: Any, call: Context) -> None:
        raise ValueError(SECRET)

    async with serving(fail) as served:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await served.bookings.GetAvailability(AVAILABILITY)
    assert failure.value.code() is grpc.StatusCode.INTERNAL
    assert SECRET not in repr(failure.value) + str(failure.value.trailing_metadata())
    refusal = refusal_from_call(failure.value)
    assert refusal is not None
    assert refusal.reason == "INTERNAL"


async def test_a_refusal_reaches_the_client_whole() -> None:
    """The code, reason or metadata of a refusal could be lost on its way to the client."""

    async def refuse(request: Any, call: Context) -> None:
        raise RequestInProgress(booking_id=7)

    async with serving(refuse) as served:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await served.bookings.Reserve(RESERVE)
    assert failure.value.code() is grpc.StatusCode.ABORTED
    status = rpc_status.from_call(failure.value)  # type: ignore[arg-type]
    assert status is not None
    [packed] = status.details
    info = error_details_pb2.ErrorInfo.FromString(packed.value)
    assert (info.reason, dict(info.metadata)) == ("REQUEST_IN_PROGRESS", {"booking_id": "7"})


@pytest.mark.parametrize(
    ("method", "reason"), [("GetAvailability", "UNAVAILABLE"), ("Reserve", "OUTCOME_UNKNOWN")]
)
async def test_a_lost_connection_leaves_only_a_write_in_doubt(method: str, reason: str) -> None:
    """A committed write could be reported as not done, or a read be left in doubt."""

    async def lose(request: Any, call: Context) -> None:
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    async with serving(lose) as served:
        request = AVAILABILITY if method == "GetAvailability" else RESERVE
        refusal = await refused(getattr(served.bookings, method)(request))
    assert refusal.reason == reason


async def admitted(served: Served, access: str, authorization: str | None) -> str:
    """Calls a method with this access; returns the reason of the refusal, or ""."""
    metadata = (("authorization", authorization),) if authorization else ()
    call: Any = {
        "PUBLIC": (served.bookings.GetAvailability, AVAILABILITY),
        "OPEN": (served.bookings.Reserve, RESERVE),
        "SERVICE": (served.inventory.ApplyEvent, APPLY),
    }[access]
    try:
        await call[0](call[1], metadata=metadata)
    except grpc.aio.AioRpcError as error:
        refusal = refusal_from_call(error)
        return refusal.reason if refusal else "none"
    return ""


@pytest.mark.parametrize(
    ("access", "authorization", "open_reason", "closed_reason"),
    [
        ("PUBLIC", None, "", ""),
        ("OPEN", None, "", "UNAUTHENTICATED"),
        ("SERVICE", None, "PERMISSION_DENIED", "PERMISSION_DENIED"),
        ("PUBLIC", f"Service {KEY}", "", ""),
        ("OPEN", f"Service {KEY}", "", ""),
        ("SERVICE", f"Service {KEY}", "", ""),
        ("SERVICE", "Service wrong", "INVALID_TOKEN", "INVALID_TOKEN"),
        ("PUBLIC", "Bearer x.y.z", "INVALID_TOKEN", "INVALID_TOKEN"),
        ("OPEN", "Bearer x.y.z", "INVALID_TOKEN", "INVALID_TOKEN"),
        ("SERVICE", f"Bearer {KEY}", "INVALID_TOKEN", "INVALID_TOKEN"),
    ],
)
async def test_access_decides_who_may_call(
    access: str, authorization: str | None, open_reason: str, closed_reason: str
) -> None:
    """A method could admit a kind of caller that its access excludes, or refuse one."""
    async with serving(open_access=True) as served:
        assert await admitted(served, access, authorization) == open_reason
    async with serving(open_access=False) as served:
        assert await admitted(served, access, authorization) == closed_reason


async def test_the_caller_is_known_to_the_servicer() -> None:
    """Domain code could decide for another caller."""
    seen = []

    async def look(request: Any, call: Context) -> None:
        seen.append(context.caller.get())

    async with serving(look) as served:
        await admitted(served, "PUBLIC", None)
        await admitted(served, "SERVICE", f"Service {KEY}")
    assert seen == [ANONYMOUS, SERVICE]


async def test_an_invalid_request_never_reaches_the_servicer() -> None:
    """An invalid request could reach domain code, or be refused without naming its fields."""
    servicer = scripted()
    async with serving(servicer=servicer) as served:
        invalid = bookings_pb2.ReserveRequest(user_id="\n")
        refusal = await refused(served.bookings.Reserve(invalid))
    assert refusal.reason == "VALIDATION_ERROR"
    assert [violation.path for violation in refusal.violations] == ["event_id", "user_id"]
    assert servicer.requests == []


async def test_the_caller_is_checked_before_the_fields() -> None:
    """A caller that is not admitted could get field errors in place of its refusal."""
    async with serving(open_access=False) as served:
        refusal = await refused(served.bookings.Reserve(bookings_pb2.ReserveRequest()))
    assert refusal.reason == "UNAUTHENTICATED"


@pytest.mark.parametrize("path", ["/boxoffice.bookings.v1.BookingsService/Nothing", "/x.Y/Z"])
async def test_an_unknown_method_is_unimplemented(path: str) -> None:
    """An unknown method could end in an internal error."""
    async with serving() as served:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await served.method(path)(b"")
    assert failure.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_method_without_a_rule_is_never_run() -> None:
    """An RPC whose access was forgotten could be open to everybody."""
    called = []

    async def forgotten(request: bytes, call: Context) -> bytes:
        called.append(request)
        return b""

    handler: Any = grpc.unary_unary_rpc_method_handler(forgotten)
    async with serving() as served:
        served.server.grpc.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(_forgetful_service(), {"Do": handler}),)
        )
        with pytest.raises(grpc.aio.AioRpcError):
            await served.method(f"/{_forgetful_service()}/Do")(b"")
    assert called == []
    with pytest.raises(ValueError, match="who may call it"):
        describe(f"/{_forgetful_service()}/Do")


def _forgetful_service() -> str:
    """Adds to the descriptor pool a service of Boxoffice whose method has no options."""
    package = "boxoffice.forgetful.v1"
    service = descriptor_pb2.ServiceDescriptorProto(name="Forgetful")
    service.method.add(
        name="Do", input_type=f".{package}.Nothing", output_type=f".{package}.Nothing"
    )
    file = descriptor_pb2.FileDescriptorProto(
        name="boxoffice/forgetful/v1/forgetful.proto",
        package=package,
        message_type=[descriptor_pb2.DescriptorProto(name="Nothing")],
        service=[service],
    )
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
    return f"{package}.Forgetful"


async def watched(served: Served, request: Any, key: str = KEY) -> list[str]:
    """Reads a stream to its end; returns its messages."""
    stub: Any = waiting_list_pb2_grpc.WaitingListServiceStub(served.channel)
    metadata = (("authorization", f"Service {key}"),)
    return [
        response.change.user_id
        async for response in stub.WatchWaitingList(request, metadata=metadata)
    ]


class Watched(waiting_list_pb2_grpc.WaitingListServiceServicer):
    """Streams two changes, and then raises the scripted error, if there is one."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.callers: list[Caller] = []

    async def WatchWaitingList(self, request: Any, call: Context) -> Any:  # noqa: N802
        """See Watched."""
        self.callers.append(context.caller.get())
        for user_id in ("ada", "bob"):
            change = waiting_list_pb2.WaitingListChange(user_id=user_id)
            yield waiting_list_pb2.WatchWaitingListResponse(change=change)
        if self.failure:
            raise self.failure


async def test_a_stream_of_responses_passes_all_layers() -> None:
    """A stream could evade authentication or validation, or show the text of an exception."""
    watch = waiting_list_pb2.WatchWaitingListRequest
    servicer: Any = Watched()  # type: ignore[abstract,unused-ignore]
    async with serving() as served:
        add = waiting_list_pb2_grpc.add_WaitingListServiceServicer_to_server
        add(servicer, served.server.grpc)
        assert await watched(served, watch(event_id="jazz")) == ["ada", "bob"]
        denied = await refused(watched(served, watch(event_id="jazz"), key="wrong"))
        assert denied.reason == "INVALID_TOKEN"
        invalid = await refused(watched(served, watch(event_id="no key")))
        assert [violation.path for violation in invalid.violations] == ["event_id"]
        assert servicer.callers == [SERVICE]
        for failure, reason in (
            (RequestInProgress(), "REQUEST_IN_PROGRESS"),
            (ValueError(SECRET), "INTERNAL"),
        ):
            servicer.failure = failure
            refusal = await refused(watched(served, watch(event_id="jazz")))
            assert refusal.reason == reason
            assert SECRET not in str(refusal)


async def test_a_stream_of_requests_is_never_run() -> None:
    """A stream of requests could evade all layers."""
    called = []

    async def stream(requests: Any, call: Context) -> bytes:
        called.append(requests)
        return b""

    handler: Any = grpc.stream_unary_rpc_method_handler(stream)
    async with serving() as served:
        served.server.grpc.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("boxoffice.streams.v1.S", {"Do": handler}),)
        )
        with pytest.raises(grpc.aio.AioRpcError):
            await served.method("/boxoffice.streams.v1.S/Do")(b"")
    assert called == []


async def test_a_deadline_ends_the_work_and_is_counted() -> None:
    """Work could go on for a caller that has left, or be missing from the metrics."""
    ended = asyncio.Event()
    before = counted("GetAvailability", "CANCELLED")

    async def wait(request: Any, call: Context) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with serving(wait) as served:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await served.bookings.GetAvailability(AVAILABILITY, timeout=0.05)
        assert failure.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await asyncio.wait_for(ended.wait(), 5)
    assert counted("GetAvailability", "CANCELLED") == before + 1


async def test_cancelling_a_call_ends_its_work() -> None:
    """Work could go on for a client that has disconnected."""
    started, ended = asyncio.Event(), asyncio.Event()

    async def wait(request: Any, call: Context) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with serving(wait) as served:
        call = served.bookings.Reserve(RESERVE)
        await started.wait()
        call.cancel()
        await asyncio.wait_for(ended.wait(), 5)


async def test_each_call_is_counted_and_timed() -> None:
    """Refusals or failures could be missing from the metrics."""

    async def refuse(request: Any, call: Context) -> None:
        raise PermissionDenied

    ok, no = counted("Reserve", "OK"), counted("Reserve", "PERMISSION_DENIED", "PERMISSION_DENIED")
    times = timed("Reserve")
    async with serving() as served:
        await served.bookings.Reserve(RESERVE)
    async with serving(refuse) as served:
        await refused(served.bookings.Reserve(RESERVE))
    assert counted("Reserve", "OK") == ok + 1
    assert counted("Reserve", "PERMISSION_DENIED", "PERMISSION_DENIED") == no + 1
    assert timed("Reserve") == times + 2


async def test_an_unknown_method_makes_no_metric() -> None:
    """Made-up method names could fill the memory with metrics."""
    async with serving() as served:
        with pytest.raises(grpc.aio.AioRpcError):
            await served.method(f"/{NAME}/Invented")(b"")
    assert not counted("Invented", "UNIMPLEMENTED")
