"""From response messages to JSON and headers: functions that are made from descriptors at start."""

import base64
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, TypeAlias

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.codec import scalars
from gateway.contract import messages
from gateway.contract.bindings import Binding
from gateway.contract.messages import ContractError, Field
from gateway.contract.unwrapped import only_field
from gateway.http.messages import Header
from services.kit.rpc.errors import Refusal

Encode: TypeAlias = Callable[[Any], Any]
HeaderOf: TypeAlias = Callable[[Message], Header | None]

_UNSET: tuple[object, ...] = (None, {})
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC, printed with a Z and never compared


def message_encoder(message: Descriptor) -> Encode:
    """Makes the function that turns a message into what JSON shows: every field, by its own name.

    Unset optional fields are None, unless their rule leaves them out.
    """
    if only := only_field(message):
        return _unwrapping(only)
    fields = messages.fields(message)
    if not fields:
        return _nothing
    shown_as = [(name, field.name) for field in fields for name in _printed_names(field)]
    names = tuple(name for name, _ in shown_as)
    # The first again, as an attrgetter of one name gives no tuple.
    read = attrgetter(*(own for _, own in shown_as), shown_as[0][1])
    conversions = _conversions(fields)
    omitted = [field.name for field in fields if field.rule.omitted]

    def encode(message: Any) -> dict[str, Any]:
        shown = dict(zip(names, read(message), strict=False))
        for name, is_set, convert, copies in conversions:
            value = convert(shown[name]) if is_set(message, name) else None
            shown[name] = value
            for copy in copies:
                shown[copy] = value
        for name in omitted:
            if shown[name] in _UNSET:
                del shown[name]
        return shown

    return encode


def body_encoder(binding: Binding) -> Encode:
    """Makes the function that turns a response into the JSON value of its answer."""
    shown = binding.response_body_type
    if isinstance(shown, Descriptor):
        return message_encoder(shown)
    convert, name = _converter(shown), shown.name
    return lambda response: convert(getattr(response, name))


def header_encoders(binding: Binding) -> Sequence[HeaderOf]:
    """Makes a function per field of a response that a header repeats."""
    return [_header(field, path) for path, field in binding.response_header_fields]


def details_of(refusal: Refusal) -> Any:
    """Turns the details of a refusal into their JSON value; None if it has none."""
    details = refusal.details
    return None if details is None else _encoder_of(details.DESCRIPTOR.full_name)(details)


@cache
def _encoder_of(name: str) -> Encode:
    return message_encoder(messages.find_message(name))


def timestamp(value: Timestamp) -> str:
    """Prints a time as RFC 3339 in UTC with milliseconds."""
    return f"{_second(value.seconds)}.{value.nanos // 1_000_000:03d}Z"


@lru_cache(maxsize=1024)
def _second(since_epoch: int) -> str:
    """Prints a second; what was made in the same one is often shown together."""
    return (_EPOCH + timedelta(seconds=since_epoch)).isoformat()


_Conversion: TypeAlias = tuple[str, Callable[[Any, str], bool], Encode, Sequence[str]]


def _conversions(fields: Sequence[Field]) -> list[_Conversion]:
    """Lists the fields whose values JSON does not show as they are."""
    return [
        (field.name, _presence(field.descriptor), _converter(field.descriptor), field.rule.copies)
        for field in fields
        if field.descriptor.has_presence or _converter(field.descriptor) is not _as_is
    ]


def _printed_names(field: Field) -> tuple[str, ...]:
    return (field.name, *field.rule.copies)


def _presence(field: FieldDescriptor) -> Callable[[Any, str], bool]:
    return _is_set if field.has_presence else _always


def _is_set(message: Any, name: str) -> bool:
    return bool(message.HasField(name))


def _always(message: Any, name: str) -> bool:
    return True


def _converter(field: FieldDescriptor) -> Encode:
    if field.type == FieldDescriptor.TYPE_GROUP:
        raise ContractError(f"{field.full_name}: values of this type are not printed")
    if entry := messages.map_entry(field):
        convert_value = _one(entry[1])
        return lambda items: {_key(key): convert_value(items[key]) for key in items}
    convert = _one(field)
    if not field.is_repeated:
        return convert
    return list if convert is _as_is else lambda items: [convert(item) for item in items]


def _one(field: FieldDescriptor) -> Encode:
    if field.enum_type is not None:
        return {number: name for name, number in scalars.enum_names(field.enum_type).items()}.get
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _base64
    if field.message_type is None:
        return _as_is
    if field.message_type.full_name == scalars.TIMESTAMP:
        return timestamp
    return message_encoder(field.message_type)


def _unwrapping(only: Field) -> Encode:
    convert, name = _converter(only.descriptor), only.name
    return lambda message: convert(getattr(message, name))


def _nothing(message: Any) -> dict[str, Any]:
    return {}


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _key(key: object) -> str:
    """Prints the key of a map, which is a string, an integer or a bool."""
    return str(key).lower() if isinstance(key, bool) else str(key)


def _as_is(value: Any) -> Any:
    return value


def _header(field: Field, path: str) -> HeaderOf:
    name = field.rule.response_header.lower().encode()
    read = attrgetter(path)
    if field.descriptor.type == FieldDescriptor.TYPE_BOOL:
        return lambda response: (name, b"true") if read(response) else None
    if field.descriptor.type == FieldDescriptor.TYPE_STRING:
        quoted = b'"%b"' if name == b"etag" else b"%b"
        return lambda response: (name, quoted % text.encode()) if (text := read(response)) else None
    if field.descriptor.type not in scalars.INTEGERS:
        raise ContractError(f"{field.descriptor.full_name}: no header is made of this type")
    form = b'"%d"' if name == b"etag" else b"%d"
    return lambda response: (name, form % read(response))
