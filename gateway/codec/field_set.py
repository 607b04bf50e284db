"""The fields that a client may set, in a body, in an object within one, or in the query."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

from gateway.codec import constraints
from gateway.contract.messages import Field
from services.kit.rpc.errors import Violation
from services.kit.rpc.validation import MISSING

NO_COPIES: Mapping[str, str] = MappingProxyType({})

Found: TypeAlias = list[Violation]
Values: TypeAlias = dict[str, Any]
Read: TypeAlias = Callable[[Any, str, Found], Any]
"""Reads a value at a path; appends what is wrong with it to what was found."""
NamedValues: TypeAlias = Sequence[tuple[str, Any]]
Accept: TypeAlias = Callable[[str, Any, Values, Found], None]


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
        readers = {field.name: read(field) for field in fields}
        self._by_name = {
            name: _accept(field, name, readers[field.name], in_update=in_update)
            for field in fields
            for name in field.request_names
        }
        self._own_names = {name: field.name for field in fields for name in field.request_names}
        self._strings = {
            name: field.rule.string_as
            for field in fields
            if field.rule.string_as
            for name in field.request_names
        }
        by_own_name = {field.name: field for field in fields}
        for name, other in self._strings.items():
            string = _accept(by_own_name[other], name, readers[other], in_update=in_update)
            self._by_name[name] = _by_type(self._by_name[name], string)
        self._needed = [] if in_update else [f.name for f in fields if _is_needed(f)]
        self._copies = [
            (copy, field.name, copies.get(field.name), readers[field.name])
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
        if self._strings:
            members = self._without_nulls(members)
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
        return {
            self._own_name(name, value): name for name, value in members if name in self._own_names
        }

    def _own_name(self, name: str, value: Any) -> str:
        own = self._own_names[name]
        return self._strings.get(name, own) if isinstance(value, str) else own

    def _without_nulls(self, members: NamedValues) -> NamedValues:
        """Drops the null of a field in whose place a string was sent by another name."""
        sent = {self._strings.get(name) for name, value in members if isinstance(value, str)}
        return [
            (name, value)
            for name, value in members
            if value is not None or self._own_names.get(name) not in sent
        ]

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


def _differs(original: str) -> str:
    return f"differs from `{original}`, which it repeats: send one of them, or both alike"


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


def _by_type(accept: Accept, accept_string: Accept) -> Accept:
    """Accepts a string as one field, and any other value as another."""

    def by_type(path: str, value: Any, given: Values, found: Found) -> None:
        chosen = accept_string if isinstance(value, str) else accept
        chosen(path, value, given, found)

    return by_type


def _is_needed(field: Field) -> bool:
    return not field.is_output_only and constraints.is_needed(field)


def _ignore(path: str, value: Any, given: Values, found: Found) -> None:
    """Ignores a field that comes from an earlier response."""


def _refuse(name: str, message: str = "cannot be set") -> Accept:
    def accept(path: str, value: Any, given: Values, found: Found) -> None:
        found.append(Violation(path + name, message))

    return accept
