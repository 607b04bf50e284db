"""The layer that records calls in the audit log."""

from typing import Any

import psycopg
import structlog
from google.protobuf.message import Message

from services.kit.audit.calls import AuditedMethod
from services.kit.audit.log import OK, Action, AuditLog
from services.kit.rpc import context
from services.kit.rpc.errors import OutcomeUnknown, Refusal, Unavailable
from services.kit.server import interceptors
from services.kit.server.interceptors import Method, ServicerContext, Unary

logger = structlog.get_logger()


class Auditing:
    """Records the calls of audited methods: before they begin, and what came of them.

    It is the innermost layer, so calls that the others refuse are not recorded. A call whose entry
    cannot be stored is refused. `log` must be set before the first call of an audited method.
    """

    def __init__(self) -> None:
        self.log: AuditLog | None = None

    def wrap(self, method: Method, behaviour: Unary) -> Unary:
        """See Layer. Raises TypeError for an audited method without a log."""
        audited = AuditedMethod.of(interceptors.find(method.path))
        if audited is None:
            return behaviour
        if self.log is None:
            raise TypeError(f"{method.path} is audited, and there is no audit log")
        return _recorded(audited, self.log, behaviour)


def _recorded(audited: AuditedMethod, log: AuditLog, behaviour: Unary) -> Unary:
    async def call(request: Any, call_context: ServicerContext) -> Message | None:
        action = audited.action(request, context.caller.get(), context.request_id.get())
        number = await begin(log, action)
        try:
            response = await behaviour(request, call_context)
        except Refusal as refusal:
            # After any other exception the outcome is unknown.
            await finish_refused(log, number, refusal)
            raise
        await log.finish(number, OK, audited.creation(response) if response else None)
        return response

    return call


async def begin(log: AuditLog, action: Action) -> int:
    """Stores the entry of an action; raises Unavailable, as nothing was done yet."""
    try:
        return await log.begin(action)
    except psycopg.Error as error:
        logger.warning("no audit entry", action=action.name, error=str(error).strip())
        raise Unavailable from error


async def finish_refused(log: AuditLog, number: int, refusal: Refusal) -> None:
    """Stores why an action was refused, unless it may have been done all the same."""
    if not isinstance(refusal, OutcomeUnknown):
        await log.finish(number, refusal.reason.lower())
