"""Converts requests into asks of the inventory, and their outcomes into responses.

All servicers book and cancel through it, so requests of one batch share a transaction.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from google.protobuf.message import Message

from services.bookings.access import Viewer
from services.bookings.inventory import Ask
from services.bookings.inventory.commands import Outcome, Replayed
from services.kit.database.idempotency import Key, fingerprint
from services.kit.rpc.errors import Refusal

ItemT = TypeVar("ItemT")
OutcomeT = TypeVar("OutcomeT")
ResponseT = TypeVar("ResponseT", bound=Message)


class Decider(Protocol):
    """Decides asks; see Lane.decide."""

    async def decide(self, asks: Sequence[Ask], *, skip_busy: bool) -> list[Outcome]:
        """Returns an outcome for each ask, in their order."""


def read_each(items: Iterable[ItemT], read: Callable[[ItemT], Ask]) -> list[Ask | Refusal]:
    """Converts each item into an ask, or into the refusal that `read` raises."""
    return [_read(item, read) for item in items]


async def decide(
    decider: Decider, asks: Sequence[Ask | Refusal], *, skip_busy: bool
) -> list[Outcome]:
    """Decides asks together; returns refusals among them as they are."""
    admitted = [ask for ask in asks if isinstance(ask, Ask)]
    outcomes = iter(await decider.decide(admitted, skip_busy=skip_busy))
    return [next(outcomes) if isinstance(ask, Ask) else ask for ask in asks]


async def answer(
    decider: Decider, asks: Sequence[Ask | Refusal], response: type[Message], *, skip_busy: bool
) -> list[Message | bytes | Refusal]:
    """Decides asks together; returns a response or a refusal for each.

    `response` has a field `replayed`, which is set in a stored response.
    """
    outcomes = await decide(decider, asks, skip_busy=skip_busy)
    return [
        _response(ask, outcome, response) if isinstance(ask, Ask) else ask
        for ask, outcome in zip(asks, outcomes, strict=True)
    ]


def parsed(outcome: Message | bytes | Refusal, response: type[ResponseT]) -> ResponseT | Refusal:
    """Returns what `answer` has returned as a message, or as the refusal that it is."""
    if isinstance(outcome, bytes):
        return response.FromString(outcome)
    if not isinstance(outcome, Refusal | response):
        raise TypeError(f"{type(outcome)} is no {response}")
    return outcome


def replayed(outcome: Replayed, response: type[ResponseT]) -> ResponseT:
    """Returns a stored response with its field `replayed` set."""
    return response.FromString(outcome.response + _replayed(response))


def idempotency_key(
    viewer: Viewer, operation: str, request_id: str, *content: object
) -> Key | None:
    """Returns the key under which a response is stored; None without a request id.

    Reusing a key with other `content` is refused. Responses are kept for 24 hours with the
    operation and a digest of the content, so neither may change from one release to the next.
    """
    if not request_id:
        return None
    return Key(viewer.key_owner, operation, request_id, fingerprint(operation, *content))


def expect(outcome: Outcome, expected: type[OutcomeT]) -> OutcomeT:
    """Returns the outcome if it has the expected type; raises it if it is a refusal."""
    if isinstance(outcome, expected):
        return outcome
    if isinstance(outcome, Refusal):
        raise outcome
    raise TypeError(f"{outcome} is no {expected.__name__}")


def _read(item: ItemT, read: Callable[[ItemT], Ask]) -> Ask | Refusal:
    try:
        return read(item)
    except Refusal as refusal:
        return refusal


def _response(ask: Ask, outcome: Outcome, response: type[Message]) -> Message | bytes | Refusal:
    if isinstance(outcome, Refusal):
        return outcome
    if isinstance(outcome, Replayed):
        # Protobuf merges concatenated messages, so this sets the field `replayed`.
        return outcome.response + _replayed(response)
    if ask.answer is None:
        raise TypeError(f"{ask.command} was asked without a way to answer it")
    return ask.answer(outcome)


def _replayed(response: Callable[[], Any]) -> bytes:
    """Serializes a response that has only the field `replayed`."""
    repeated = response()
    repeated.replayed = True
    serialized: bytes = repeated.SerializeToString()
    return serialized
