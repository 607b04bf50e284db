"""The context of a call: its request id, its place in a trace, its caller and its deadline."""

import asyncio
from contextvars import ContextVar

from services.kit.rpc.callers import ANONYMOUS, Caller
from services.kit.rpc.errors import Unauthenticated

request_id: ContextVar[str] = ContextVar("request_id", default="-")
traceparent: ContextVar[str] = ContextVar("traceparent", default="")
caller: ContextVar[Caller] = ContextVar("caller", default=ANONYMOUS)
_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def account_id() -> str:
    """Returns the account of the caller; raises Unauthenticated for a caller without one."""
    subject = caller.get().subject
    if subject is None:
        raise Unauthenticated
    return subject


def set_deadline(remaining_seconds: float | None) -> None:
    """Sets when the caller stops waiting; None for never."""
    loop = asyncio.get_running_loop()
    _deadline.set(None if remaining_seconds is None else loop.time() + remaining_seconds)


def remaining_seconds(limit: float) -> float:
    """Returns the timeout of a call for the caller: `limit`, or the time left if that is less."""
    deadline = _deadline.get()
    if deadline is None:
        return limit
    return min(limit, max(0.0, deadline - asyncio.get_running_loop().time()))
