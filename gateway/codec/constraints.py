"""The rules of protovalidate as JSON Schema says them."""

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, TypeAlias

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp

from buf.validate import validate_pb2
from gateway.codec import scalars
from gateway.codec.regexes import portable
from gateway.contract.bindings import Binding
from gateway.contract.messages import ContractError, Field, map_entry

Schema: TypeAlias = dict[str, Any]


def plain(field: FieldDescriptor) -> Schema:
    """Returns the schema of one value of a field that is no message, without its rules."""
    if field.enum_type is not None:
        return {"type": "string", "enum": list(scalars.enum_names(field.enum_type))}
    if field.type in scalars.INTEGER_NAMES:
        return {"type": "integer", "format": scalars.INTEGER_NAMES[field.type]}
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return {"type": "number", "format": "double"}
    if field.type == FieldDescriptor.TYPE_BYTES:
        return {"type": "string", "contentEncoding": "base64"}
    if field.type not in _OTHERS:
        raise ContractError(f"{field.full_name}: JSON Schema has nothing for values of this type")
    return {"type": _OTHERS[field.type]}


def scalar(field: FieldDescriptor) -> Schema:
    """Returns the schema of one value of a field that is no message, with its rules."""
    schema, rules = plain(field), scalars.value_rules(field)
    if field.enum_type is not None:
        schema["enum"] = list(scalars.admitted(field, field.enum_type))
    if field.type in scalars.INTEGER_NAMES:
        schema |= _integer(field)
    if field.type == FieldDescriptor.TYPE_STRING:
        schema |= _string(rules.string)
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        schema |= _double(rules.double)
    if field.type == FieldDescriptor.TYPE_BYTES:
        schema |= _bytes(rules.bytes)
    return schema


def array(field: FieldDescriptor, items: Schema) -> Schema:
    """Returns the schema of a repeated field, with its rules."""
    rules = _rules(field).repeated
    schema: Schema = {"type": "array", "items": items}
    if rules.HasField("min_items"):
        schema["minItems"] = rules.min_items
    if rules.HasField("max_items"):
        schema["maxItems"] = rules.max_items
    return schema | ({"uniqueItems": True} if rules.unique else {})


def mapping(field: FieldDescriptor, values: Schema) -> Schema:
    """Returns the schema of a map, with its rules."""
    rules = _rules(field).map
    schema: Schema = {"type": "object", "additionalProperties": values}
    if rules.HasField("min_pairs"):
        schema["minProperties"] = rules.min_pairs
    if rules.HasField("max_pairs"):
        schema["maxProperties"] = rules.max_pairs
    keys = _string(rules.keys.string)
    return schema | ({"propertyNames": keys} if keys else {})


def is_body_needed(binding: Binding) -> bool:
    """Returns whether a request without a body is refused; a POST of `{}` may come without one."""
    return bool(binding.body) and (
        binding.http_method != "POST"
        or binding.has_raw_request
        or any(is_needed(field) for field in binding.body_fields if not field.is_output_only)
    )


@cache
def is_needed(field: Field) -> bool:
    """Returns whether a request is refused without the field."""
    if field.is_required or _rules(field.descriptor).required:
        return True
    if map_entry(field.descriptor):
        return bool(_rules(field.descriptor).map.min_pairs > 0)
    if field.descriptor.is_repeated:
        return bool(_rules(field.descriptor).repeated.min_items > 0)
    if field.descriptor.has_presence:
        return False
    schema = scalar(field.descriptor)
    if schema["type"] in {"integer", "number"}:
        return bool(schema.get("minimum", 0) > 0)
    return schema["type"] == "string" and not _admits_empty(schema)


def example(field: FieldDescriptor) -> Any:
    """Returns the first example that the contract has of one value of a field, or None."""
    rules = scalars.value_rules(field)
    kind = rules.WhichOneof("type")
    examples = getattr(getattr(rules, kind), "example", ()) if kind else ()
    found = next(iter(examples), None)
    return found.ToJsonString() if isinstance(found, Timestamp) else found


def _rules(field: FieldDescriptor) -> validate_pb2.FieldRules:
    return field.GetOptions().Extensions[validate_pb2.field]


def _integer(field: FieldDescriptor) -> Schema:
    low, high = scalars.bounds(field)
    return {"minimum": low, "maximum": high}


def _double(rules: validate_pb2.DoubleRules) -> Schema:
    schema: Schema = {}
    if rules.HasField("gte"):
        schema["minimum"] = rules.gte
    if rules.HasField("lte"):
        schema["maximum"] = rules.lte
    return schema


def _bytes(rules: validate_pb2.BytesRules) -> Schema:
    """Returns the bounds of the text: Base64 writes three bytes as four characters."""
    schema: Schema = {}
    if rules.HasField("min_len"):
        schema["minLength"] = _base64_length(rules.min_len)
    if rules.HasField("max_len"):
        schema["maxLength"] = _base64_length(rules.max_len)
    return schema


def _base64_length(size: int) -> int:
    return -(-size // 3) * 4


def _string(rules: validate_pb2.StringRules) -> Schema:
    schema: Schema = {}
    if rules.HasField("min_len"):
        schema["minLength"] = rules.min_len
    if rules.HasField("max_len"):
        schema["maxLength"] = rules.max_len
    if rules.HasField("pattern"):
        schema["pattern"] = portable(rules.pattern)
    if rules.email:
        schema |= {"format": "email", "minLength": 1}
    choices = list(getattr(rules, "in"))
    return schema | ({"enum": choices} if choices else {})


def _admits_empty(schema: Schema) -> bool:
    if "enum" in schema:
        return "" in schema["enum"]
    is_long_enough = schema.get("minLength", 0) == 0
    return is_long_enough and re.search(schema.get("pattern", ""), "") is not None


_OTHERS: Mapping[int, str] = MappingProxyType(
    {FieldDescriptor.TYPE_BOOL: "boolean", FieldDescriptor.TYPE_STRING: "string"}
)
