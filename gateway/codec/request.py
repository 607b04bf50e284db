"""From path, query, headers and JSON to the request message of an RPC.

A decoder is compiled per binding at start. Whatever is wrong with the fields is collected, so that
a client sees all of it at once.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from gateway.codec import constraints, scalars
from gateway.contract import bindings
from gateway.contract.bindings import Binding, Field
from gateway.contract.unwrapped import json_path, only_field
from gateway.http.headers import field_value
from gateway.http.query import Pairs
from services.kit.rpc.errors import ValidationFailed, Violation
from services.kit.rpc.validation import MISSING, violations

NO_COPIES: Mapping[str, str] = MappingProxyType({})

Found: TypeAlias = list[Violation]
Values: TypeAlias = dict[str, Any]
Read: TypeAlias = Callable[[Any, str, Found], Any]
NamedValues: TypeAlias = Sequence[tuple[str, Any]]
Accept: TypeAlias = Callable[[str, Any, Values, Found], None]


_WITHIN = re.compile(r"[.[]")


class FieldSet:
    """The fields that a client may set, each by all of its names.

    Output-only fields are ignored if `in_update`, as they come from an earlier response; otherwise
    they are refused. A copy that is sent beside its field must have the same value, unless `copies`
    name the field that takes one that differs: the service decides which of them was edited.
    """

    def __init__(
        self,
        fields: Sequence[Field],
        read: Callable[[Field], Read],
        *,
        in_update: bool,
        copies: Mapping[str, str] = NO_COPIES,
    ) -> None:
        self._by_name = {
            name: _accept(field, name, read(field), in_update=in_update)
            for field in fields
            for name in field.request_names
        }
        self._own_names = {name: field.name for field in fields for name in field.request_names}
        self._needed = [] if in_update else [f.name for f in fields if _is_needed(f)]
        self._copies = [
            (copy, field.name, copies.get(field.name), read(field))
            for field in fields
            for copy in field.rule.copies
        ]

    def take(self, members: NamedValues, path: str, found: Found) -> Values:
        """Reads named values into constructor arguments; null is None.

        The paths in `found` begin with `path`.
        """
        given: Values = {}
        by_name = self._by_name
        if self._copies:
            members = self._without_copies(members, path, given, found)
        for name, value in members:
            accept = by_name.get(name)
            if accept is None:
                found.append(Violation(path + name, "unknown field"))
            else:
                accept(path, value, given, found)
        return given

    def missing(self, given: Values, path: str) -> Found:
        """Lists the fields that are needed and were not given at all."""
        return [Violation(path + name, MISSING) for name in self._needed if name not in given]

    def sent_names(self, members: NamedValues) -> Mapping[str, str]:
        """Maps the own name of each field to the one that its client used."""
        own_names = self._own_names
        return {own_names[name]: name for name, _ in members if name in own_names}

    def _without_copies(
        self, members: NamedValues, path: str, given: Values, found: Found
    ) -> NamedValues:
        """Drops a copy (`title`) whose field (`name`) was also sent."""
        sent, rest = dict(members), [*members]
        for copy, original, differing, read in self._copies:
            if copy not in sent or original not in sent:
                continue
            rest.remove((copy, sent[copy]))
            if sent[copy] == sent[original]:
                continue
            if differing:
                given[differing] = read(sent[copy], path + copy, found)
            else:
                found.append(Violation(path + copy, _differs(original)))
        return rest


class Decoder:
    """Makes the request message of one binding."""

    def __init__(self, binding: Binding) -> None:
        request = binding.rpc.input_type
        self._binding = binding
        self._message = GetMessageClass(request)
        self._path = [(name, _path_reader(request, name)) for name in binding.variables]
        self._headers = [
            (_as_sent(field.rule.request_header), field.rule.request_header, field.name)
            for field in binding.header_fields
        ]
        self._query = FieldSet(binding.query_fields, _query_reader, in_update=False)
        self._resuming = [
            (_as_sent(field.rule.resumed_by), field.rule.aliases[-1], field.request_names)
            for field in binding.query_fields
            if field.rule.resumed_by
        ]
        self._copied = binding.copies.values()
        self._body = FieldSet(
            binding.body_fields, _json_reader, in_update=binding.is_update, copies=binding.copies
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


def _differs(original: str) -> str:
    return f"differs from `{original}`, which it repeats: send one of them, or both alike"


def _as_sent(header: str) -> bytes:
    return header.lower().encode()


def _accept(field: Field, name: str, read: Read, *, in_update: bool) -> Accept:
    own = field.name
    if field.is_output_only:
        return _ignore if in_update else _refuse(name)
    on_null = _refuse(name, MISSING) if _is_needed(field) and not in_update else _ignore

    def accept(path: str, value: Any, given: Values, found: Found) -> None:
        if own in given:
            found.append(Violation(path + name, "given more than once"))
        elif value is None:
            given[own] = None
            on_null(path, value, given, found)
        else:
            given[own] = read(value, path + name, found)

    return accept


def _is_needed(field: Field) -> bool:
    return not field.is_output_only and constraints.is_needed(field)


def _ignore(path: str, value: Any, given: Values, found: Found) -> None:
    """Ignores a field that comes from an earlier response."""


def _refuse(name: str, message: str = "cannot be set") -> Accept:
    def accept(path: str, value: Any, given: Values, found: Found) -> None:
        found.append(Violation(path + name, message))

    return accept


def _json_reader(field: Field) -> Read:
    descriptor = field.descriptor
    if entry := bindings.map_entry(descriptor):
        return _map(*entry)
    read = _one(descriptor)
    return _many(read) if descriptor.is_repeated else read


def _one(descriptor: FieldDescriptor) -> Read:
    message = descriptor.message_type
    if message is None or message.full_name == scalars.TIMESTAMP:
        return _single(scalars.json_reader(descriptor))
    return message_reader(message)


def _single(convert: scalars.Read) -> Read:
    def read(value: Any, path: str, found: Found) -> Any:
        try:
            return convert(value)
        except scalars.WrongValueError as error:
            found.append(Violation(path, str(error)))
            return None

    return read


def message_reader(message: Descriptor) -> Read:
    """Makes the reader of an object, of a body or within one, as a message."""
    if only := only_field(message):
        return _wrapping(message, only)
    fields = FieldSet(bindings.fields(message), _json_reader, in_update=False)
    make = GetMessageClass(message)

    def read(value: Any, path: str, found: Found) -> Any:
        if type(value) is not tuple:
            found.append(Violation(path, "must be an object"))
            return None
        before = len(found)
        given = fields.take(value, f"{path}.", found)
        found += fields.missing(given, f"{path}.")
        return make(**given) if len(found) == before else None

    return read


def _wrapping(message: Descriptor, only: Field) -> Read:
    """Makes the reader of a value that is the only field of a message."""
    read_value = _json_reader(only)
    make = GetMessageClass(message)

    def read(value: Any, path: str, found: Found) -> Any:
        before = len(found)
        given = read_value(value, path, found)
        return make(**{only.name: given}) if len(found) == before else None

    return read


def _map(key: FieldDescriptor, value: FieldDescriptor) -> Read:
    """Makes the reader of an object whose members are the entries of a map."""
    read_key = _single(scalars.text_reader(key, is_id=False))
    read_value = _one(value)

    def read(members: Any, path: str, found: Found) -> Any:
        if type(members) is not tuple:
            found.append(Violation(path, "must be an object"))
            return None
        before = len(found)
        entries: dict[Any, Any] = {}
        for name, item in members:
            own = read_key(name, f"{path}.{name}", found)
            if own in entries:
                found.append(Violation(f"{path}.{name}", "given more than once"))
            entries[own] = _item(read_value, item, f"{path}.{name}", found)
        return entries if len(found) == before else None

    return read


def _many(read_one: Read) -> Read:
    def read(value: Any, path: str, found: Found) -> Any:
        if type(value) is not list:
            found.append(Violation(path, "must be an array"))
            return None
        items: Sequence[Any] = value
        before = len(found)
        members = [_item(read_one, item, f"{path}[{i}]", found) for i, item in enumerate(items)]
        return members if len(found) == before else None

    return read


def _item(read_one: Read, item: Any, path: str, found: Found) -> Any:
    if item is None:
        found.append(Violation(path, "must not be null"))
        return None
    return read_one(item, path, found)


def _path_reader(request: Descriptor, name: str) -> Read:
    return _single(scalars.text_reader(request.fields_by_name[name], is_id=True))


def _query_reader(field: Field) -> Read:
    return _single(scalars.text_reader(field.descriptor, is_id=False))


def _resource_class(binding: Binding) -> type[Message] | None:
    return None if binding.resource is None else GetMessageClass(binding.resource)
