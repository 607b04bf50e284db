"""Names of services and fields as the documentation shows them."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from google.protobuf.descriptor import Descriptor

from gateway.contract.bindings import Binding
from gateway.contract.messages import Field, fields

_WORD = re.compile("[A-Z][a-z]+")


def tag(service: str) -> str:
    """Turns `WaitingListService` into `Waiting list`, and `ApiKeysService` into `API keys`."""
    words = " ".join(_WORD.findall(service.removesuffix("Service"))).capitalize()
    return re.sub(r"^Api\b", "API", words)


def alias_table(bindings: Sequence[Binding]) -> str:
    """Returns a Markdown table of the fields that have several names."""
    sent: dict[str, set[str]] = defaultdict(set)
    returned: dict[str, set[str]] = defaultdict(set)
    for binding in bindings:
        for field in (*binding.body_fields, *binding.query_fields):
            sent[field.name].update(field.rule.aliases)
        for field in _response_fields(binding):
            returned[field.name].update(field.rule.copies)
    rows = [
        f"| `{name}` | {_listed(sent[name])} | {_listed(returned[name])} |"
        for name in sorted(sent.keys() | returned.keys())
        if sent[name] or returned[name]
    ]
    head = ("| field | also in requests | also in answers |", "| --- | --- | --- |")
    return "\n".join((*head, *rows))


def _response_fields(binding: Binding) -> Iterator[Field]:
    """Yields the fields of a response, and of the messages within it."""
    shown = binding.response_body_type
    message = shown if isinstance(shown, Descriptor) else shown.message_type
    yield from _all(message) if message else ()


def _all(message: Descriptor) -> Iterator[Field]:
    for field in fields(message):
        yield field
        if field.descriptor.message_type:
            yield from _all(field.descriptor.message_type)


def _listed(names: set[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))
