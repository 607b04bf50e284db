"""What the audit log says of a call: read from the contract, the request and the caller."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Self

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from boxoffice.rest.v1 import rest_pb2
from services.kit.audit.log import Action, Actor
from services.kit.rpc.callers import Caller

_MASK = "update_mask"
_BESIDE = frozenset({"request_id", "if_match", _MASK})
"""Fields of requests that say how to change something, not what."""
_BRACES = re.compile(r"\{([\w.]+)\}")


@dataclass(frozen=True, slots=True)
class AuditedMethod:
    """A method whose calls are recorded. Targets are templates, such as `event/{event_id}`."""

    name: str
    target: str
    created: str

    @classmethod
    def of(cls, method: MethodDescriptor) -> Self | None:
        """Reads from the contract what is recorded of a method; None if nothing is."""
        rule = method.GetOptions().Extensions[rest_pb2.method]
        if not rule.HasField("audit"):
            return None
        name = f"{method.containing_service.name}.{method.name}"
        return cls(name, rule.audit.target, rule.audit.created)

    def action(self, request: Message, caller: Caller, request_id: str) -> Action:
        """Returns the action that a call is."""
        known = {*_BESIDE, *_BRACES.findall(self.target)}
        names = sorted({name for name in _given(request) if name not in known})
        return Action(actor_of(caller), self.name, _filled(self.target, request), names, request_id)

    def creation(self, response: Message) -> str | None:
        """Returns what a call created."""
        return _filled(self.created, response)


def actor_of(caller: Caller) -> Actor:
    """Returns a caller as the log knows it."""
    if caller.api_key_id is not None:
        return Actor("API_KEY", caller.subject, caller.api_key_id)
    if caller.subject is not None:
        return Actor("ACCOUNT", caller.subject)
    return Actor("SERVICE" if caller.is_service else "ANONYMOUS")


def _given(request: Message) -> Iterator[str]:
    """Lists the names of fields that a request gives; those of its resource without a prefix.

    Fields without presence, such as `enabled`, are always given: they have a value in any case.
    """
    for field in request.DESCRIPTOR.fields:
        if field.has_presence and not request.HasField(field.name):
            continue
        if field.is_repeated or not _is_resource(field.message_type, request):
            yield field.name
        else:
            yield from _of_resource(request, getattr(request, field.name))


def _of_resource(request: Message, resource: Message) -> Iterator[str]:
    """Lists the fields that the mask of an update names, else those that are set."""
    if _MASK in request.DESCRIPTOR.fields_by_name and request.HasField(_MASK):
        paths: Iterable[str] = getattr(request, _MASK).paths
        yield from (path for path in paths if path in resource.DESCRIPTOR.fields_by_name)
    else:
        yield from (field.name for field, _ in resource.ListFields())


def _is_resource(message_type: Any, request: Message) -> bool:
    """Returns whether a field is a message of the request's package, so no money and no time."""
    return bool(message_type) and message_type.file.package == request.DESCRIPTOR.file.package


def _filled(template: str, message: Message) -> str | None:
    """Puts fields of a message into a template; None if there is none."""
    if not template:
        return None
    return _BRACES.sub(lambda braces: str(attrgetter(braces[1])(message)), template)
