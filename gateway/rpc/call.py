"""Calling an RPC: its deadline, and what is tried again."""

import asyncio
import random
from collections.abc import Awaitable
from typing import Any, NamedTuple, Protocol

import grpc
from google.protobuf.message_factory import GetMessageClass

from gateway.contract.bindings import Binding
from gateway.rpc import failures
from services.kit.rpc import context as current
from services.kit.rpc.errors import OutcomeUnknown, Refusal, Unavailable

MAX_ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 0.05


class CallContext(NamedTuple):
    """What a service learns of the HTTP request that a call is made for."""

    request_id: str
    authorization: str


class Call(Protocol):
    """A call of an RPC, which may share a batch with the calls of others."""

    async def __call__(self, request: Any, context: CallContext) -> Any:
        """Returns the response, or the refusal."""


class Rpc(Protocol):
    """An RPC of a stub, or one that shares batches and is called alike."""

    def __call__(
        self, request: Any, *, timeout: float, metadata: tuple[tuple[str, str], ...]
    ) -> Awaitable[Any]:
        """Starts a call, which returns the response or a refusal.

        Raises AioRpcError or Refusal.
        """


def rpc(binding: Binding, channel: grpc.aio.Channel) -> Rpc:
    """Returns the RPC of a binding, for calls of their own."""
    return channel.unary_unary(
        binding.rpc_path,
        request_serializer=GetMessageClass(binding.rpc.input_type).SerializeToString,
        response_deserializer=GetMessageClass(binding.rpc.output_type).FromString,
    )


class RetryBudget:
    """Limits repetitions to a tenth of all calls, so that they do not overload a slow service.

    Each call saves up a tenth of a repetition; at most `capacity` are saved.
    """

    def __init__(self, capacity: float = 10.0) -> None:
        self._capacity = capacity
        self._saved = capacity

    def earn(self) -> None:
        """Saves up for a call that was made."""
        self._saved = min(self._capacity, self._saved + 0.1)

    def spend(self) -> bool:
        """Takes a repetition; returns False if too little is saved."""
        if self._saved < 1:
            return False
        self._saved -= 1
        return True


class UnaryCall:
    """Calls an RPC with a deadline, and repeats the call if it failed and that is safe.

    A request that certainly was not sent is sent again. One that may have arrived is repeated only
    if it is a read or has an idempotency key, within the budget.
    """

    def __init__(
        self,
        binding: Binding,
        rpc: Rpc,
        budget: RetryBudget,
        *,
        deadline_seconds: float,
    ) -> None:
        self._rpc = rpc
        self._is_read = binding.is_read
        self._key_field = binding.key_field
        self._budget = budget
        self._deadline_seconds = deadline_seconds

    async def __call__(self, request: Any, context: CallContext) -> Any:
        """See Call."""
        now = asyncio.get_running_loop().time
        deadline = now() + self._deadline_seconds
        metadata = metadata_of(context)
        self._budget.earn()
        may_be_done = False
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                outcome = await self._rpc(request, timeout=deadline - now(), metadata=metadata)
            except failures.FAILURES as error:
                # Its traceback leads to this frame, which refers to it: a cycle.
                outcome = error.with_traceback(None)
            if not isinstance(outcome, failures.FAILURES) or (
                attempt == 1 and _is_decided(outcome)
            ):
                return outcome
            may_be_done = may_be_done or failures.was_cut_short(outcome)
            if attempt == MAX_ATTEMPTS or not self._may_repeat(request, outcome):
                return self._refusal(outcome, may_be_done=may_be_done)
            pause = FIRST_PAUSE_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1)  # noqa: S311
            await asyncio.sleep(min(pause, max(0.0, deadline - now())))
        raise AssertionError("the last attempt returns or raises")

    def _refusal(self, error: failures.Failure, *, may_be_done: bool) -> Refusal:
        """Returns what the client gets for a failure; an earlier attempt may have succeeded."""
        refusal = failures.refusal_of(error, is_read=self._is_read)
        if may_be_done and not self._is_read and refusal.reason == Unavailable.reason:
            return OutcomeUnknown()
        return refusal

    def _may_repeat(self, request: Any, error: failures.Failure) -> bool:
        if failures.was_not_sent(error):
            return True
        is_harmless = self._is_read or bool(self._key_field and getattr(request, self._key_field))
        return is_harmless and failures.was_cut_short(error) and self._budget.spend()


def _is_decided(error: failures.Failure) -> bool:
    """Returns whether the service has refused, and not merely lost track of the outcome."""
    return isinstance(error, Refusal) and error.reason != OutcomeUnknown.reason


def metadata_of(context: CallContext) -> tuple[tuple[str, str], ...]:
    """Returns the metadata of a call: the request id, the caller's credential, and its trace."""
    metadata: tuple[tuple[str, str], ...] = (("x-request-id", context.request_id),)
    if context.authorization:
        metadata += (("authorization", context.authorization),)
    if traceparent := current.traceparent.get():
        metadata += (("traceparent", traceparent),)
    return metadata
