"""What a call carries along without being handed from function to function."""

import asyncio
from contextvars import ContextVar

from services.kit.rpc.callers import ANONYMOUS, Caller

request_id: ContextVar[str] = ContextVar("request_id", default="-")
caller: ContextVar[Caller] = ContextVar("caller", default=ANONYMOUS)
_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def set_deadline(remaining_seconds: float | None) -> None:
    """Notes when the caller stops waiting; None for never."""
    loop = asyncio.get_running_loop()
    _deadline.set(None if remaining_seconds is None else loop.time() + remaining_seconds)


def remaining_seconds(limit: float) -> float:
    """Tells how long a call on the caller's behalf may take: `limit`, or what is left if less."""
    deadline = _deadline.get()
    if deadline is None:
        return limit
    return min(limit, max(0.0, deadline - asyncio.get_running_loop().time()))
