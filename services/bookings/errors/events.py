"""Refusals about events and screenings."""

import grpc

from services.kit.rpc.errors import Refusal


class Contradiction(Exception):  # noqa: N818 - it names what was found
    """The stored rows of an event contradict each other, so nothing can be decided."""


class EventNotFound(Refusal):
    """There is no such event."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "EVENT_NOT_FOUND"


class EventNotBookable(Refusal):
    """The event is a draft, cancelled, completed, past, or outside its sales window."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "EVENT_NOT_BOOKABLE"


class ScreeningNotFound(Refusal):
    """There is no such screening, or the event has no assigned seats."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "SCREENING_NOT_FOUND"


class HistoryGone(Refusal):
    """The catalogue's changes no longer reach back that far."""

    code = grpc.StatusCode.OUT_OF_RANGE
    reason = "HISTORY_GONE"
