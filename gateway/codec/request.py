"""From path, query, headers and JSON to the request message of an RPC.

A decoder is compiled per binding at start. Whatever is wrong with the fields is collected, so that
a client sees all of it at once.
"""

import re
from collections.abc import Mapping, Sequence

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from gateway.codec.field_set import FieldSet, Found, NamedValues, Values
from gateway.codec.readers import json_reader, path_reader, query_reader
from gateway.contract.bindings import Binding
from gateway.contract.unwrapped import json_path
from gateway.http.headers import field_value
from gateway.http.query import Pairs
from services.kit.rpc.errors import ValidationFailed, Violation
from services.kit.rpc.validation import violations

_WITHIN = re.compile(r"[.[]")


class Decoder:
    """Makes the request message of one binding."""

    def __init__(self, binding: Binding) -> None:
        request = binding.rpc.input_type
        self._binding = binding
        self._message = GetMessageClass(request)
        self._path = [(name, path_reader(request, name)) for name in binding.variables]
        self._headers = [
            (_as_sent(field.rule.request_header), field.rule.request_header, field.name)
            for field in binding.header_fields
        ]
        self._query = FieldSet(binding.query_fields, query_reader, in_update=False)
        self._resuming = [
            (_as_sent(field.rule.resumed_by), field.rule.aliases[-1], field.request_names)
            for field in binding.query_fields
            if field.rule.resumed_by
        ]
        self._copied = binding.copies.values()
        self._body = FieldSet(
            binding.body_fields, json_reader, in_update=binding.is_update, copies=binding.copies
        )
        self._resource = _resource_class(binding)

    def carried(self, headers: Mapping[bytes, bytes]) -> Values:
        """Reads the fields that headers carry. Raises InvalidKey."""
        return {
            name: field_value(header, headers[sent])
            for sent, header, name in self._headers
            if sent in headers
        }

    def resumed(self, query: Pairs, headers: Mapping[bytes, bytes]) -> Pairs:
        """Replaces fields of the query by the headers that go before them."""
        for header, alias, names in self._resuming:
            if sent := headers.get(header):
                others = [pair for pair in query if pair[0] not in names]
                query = [*others, (alias, sent.decode("latin-1"))]
        return query

    def decode(
        self,
        variables: Mapping[str, str],
        carried: Values,
        query: Pairs,
        body: NamedValues,
        *,
        has_account: bool = True,
    ) -> Message:
        """Makes the message; `carried` are the fields from headers. Raises ValidationFailed.

        Without an account, the caller must name the user.
        """
        found: Found = []
        fields = {name: read(variables[name], name, found) for name, read in self._path}
        if query:
            fields |= self._query.take(query, "", found)
        given = self._body.take(body, "", found)
        found += self._query.missing(fields, "") + self._body.missing(given, "")
        # What could not be read is None, so the rules of all other fields are checked all the same.
        message = self._message(**fields, **carried, **self._of_body(given))
        if broken := violations(message, has_account=has_account):
            named = self.by_sent_names(broken, query, body)
            found += [violation for violation in named if not _is_reported(violation, found)]
        if found:
            raise ValidationFailed(violations=found)
        return message

    def by_sent_names(self, named: Sequence[Violation], query: Pairs, body: NamedValues) -> Found:
        """Renames the fields of violations to the names that the client sent."""
        sent = {**self._query.sent_names(query), **self._body.sent_names(body)}
        return [Violation(self._shown(v.path, sent), v.message) for v in named]

    def _shown(self, path: str, sent: Mapping[str, str]) -> str:
        shown = self._binding.client_path(json_path(self._binding.rpc.input_type, path))
        name, *_ = _WITHIN.split(shown, maxsplit=1)
        return sent.get(name, name) + shown[len(name) :]

    def _of_body(self, given: Values) -> Values:
        if self._resource is None:
            return given
        fields: Values = {name: given.pop(name) for name in self._copied if name in given}
        fields[self._binding.body] = self._resource(**given)
        if self._binding.is_update:
            fields["update_mask"] = FieldMask(paths=given)
        return fields


def _is_reported(violation: Violation, found: Found) -> bool:
    """Returns whether a violation of the field, or of one within it, was found already.

    A rule of the whole message may be broken only because a field could not be read.
    """
    path = violation.path
    if not path:
        return bool(found)
    return any(
        told.path == path or told.path.startswith((f"{path}.", f"{path}[")) for told in found
    )


def _as_sent(header: str) -> bytes:
    return header.lower().encode()


def _resource_class(binding: Binding) -> type[Message] | None:
    return None if binding.resource is None else GetMessageClass(binding.resource)
