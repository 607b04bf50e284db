"""JSON Schemas of the contract's messages, in requests and in responses.

A request's schema has every rule that the gateway checks; fields that it does not name are refused.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.codec import constraints, scalars
from gateway.contract import messages
from gateway.contract.bindings import Binding
from gateway.contract.comments import Comments
from gateway.contract.messages import Field
from gateway.contract.unwrapped import only_field

Schema: TypeAlias = dict[str, Any]


class Schemas:
    """Schemas by name, each created when it is first referred to."""

    def __init__(self, comments: Comments) -> None:
        self.comments = comments
        self.components: dict[str, Schema] = {}

    def response(self, message: Descriptor) -> Schema:
        """Returns a reference to the schema of a message in responses, which have every field."""
        return self._component(message.name, lambda: self._response_schema(message))

    def response_field(self, field: FieldDescriptor) -> Schema:
        """Returns the schema of a field in responses."""
        if entry := messages.map_entry(field):
            values = self._one(entry[1], self.response, constraints.plain)
            schema: Schema = {"type": "object", "additionalProperties": values}
        else:
            schema = self._one(field, self.response, constraints.plain)
            if field.is_repeated:
                schema = {"type": "array", "items": schema}
        schema |= self._described(field.full_name)
        may_be_unset = field.containing_oneof is not None and not Field(field).is_required
        return nullable(schema) if may_be_unset else schema

    def body(self, binding: Binding) -> Schema:
        """Returns a reference to the schema of a binding's body."""
        message, is_update = binding.resource or binding.rpc.input_type, binding.is_update
        suffix = "Update" if is_update else "Input"
        name = message.name + suffix if binding.resource else message.name
        fields = binding.body_fields
        return self._component(name, lambda: self._sent(message, fields, is_update=is_update))

    def parameter(self, field: FieldDescriptor) -> Schema:
        """Returns the schema of a field in a path, query or header."""
        return self._one(field, self._nested, constraints.scalar)

    def comment(self, full_name: str) -> str:
        """Returns the comment of the contract on an element, or ""."""
        return self.comments.get(full_name, "")

    def _response_schema(self, message: Descriptor) -> Schema:
        if only := only_field(message):
            return self.response_field(only.descriptor) | self._described(message.full_name)
        properties: dict[str, Schema] = {}
        for field in messages.fields(message):
            schema = self.response_field(field.descriptor)
            properties[field.name] = schema
            same = {"description": f"The same as `{field.name}`."}
            properties |= dict.fromkeys(field.rule.copies, schema | same)
        omitted = {field.name for field in messages.fields(message) if field.rule.omitted}
        shown = [name for name in properties if name not in omitted]
        return self._object(message, properties, shown)

    def _nested(self, message: Descriptor) -> Schema:
        name = f"{message.name}Input"
        if only := only_field(message):
            described = self._described(message.full_name)
            return self._component(name, lambda: self._sent_value(only) | described)
        fields = messages.fields(message)
        return self._component(name, lambda: self._sent(message, fields, is_update=False))

    def _sent(self, message: Descriptor, fields: Sequence[Field], *, is_update: bool) -> Schema:
        sent = [field for field in fields if not field.is_output_only]
        required = (
            [] if is_update else [field.name for field in sent if constraints.is_needed(field)]
        )
        schema = self._object(
            message, {field.name: self._sent_field(field) for field in sent}, required
        )
        return schema if is_update else schema | _alternatives(sent)

    def _sent_field(self, field: Field) -> Schema:
        schema = self._sent_value(field)
        schema["description"] = self.comment(field.descriptor.full_name)
        return schema if constraints.is_needed(field) else nullable(schema)

    def _sent_value(self, field: Field) -> Schema:
        entry = messages.map_entry(field.descriptor)
        schema = self._one(
            entry[1] if entry else field.descriptor, self._nested, constraints.scalar
        )
        if entry:
            return constraints.mapping(field.descriptor, schema)
        if field.descriptor.is_repeated:
            return constraints.array(field.descriptor, schema)
        if string := field.string_field:
            return {"anyOf": [schema, constraints.scalar(string)]}
        return schema

    def _one(
        self,
        field: FieldDescriptor,
        refer: Callable[[Descriptor], Schema],
        scalar: Callable[[FieldDescriptor], Schema],
    ) -> Schema:
        if field.message_type is None:
            return scalar(field)
        if field.message_type.full_name == scalars.TIMESTAMP:
            return {"type": "string", "format": "date-time"}
        return refer(field.message_type)

    def _described(self, full_name: str) -> Schema:
        comment = self.comment(full_name)
        return {"description": comment} if comment else {}

    def _object(
        self, message: Descriptor, properties: dict[str, Schema], required: list[str]
    ) -> Schema:
        schema: Schema = {
            "type": "object",
            **self._described(message.full_name),
            "properties": properties,
            "additionalProperties": False,
        }
        return schema | ({"required": required} if required else {})

    def _component(self, name: str, make: Callable[[], Schema]) -> Schema:
        if name not in self.components:
            self.components[name] = make()
        return {"$ref": f"#/components/schemas/{name}"}


def _alternatives(fields: Sequence[Field]) -> Schema:
    """Returns the rule that one field or the other is needed, if there is such a pair."""
    pairs = [(field.name, other) for field in fields if (other := field.rule.needed_without)]
    rules = [{"anyOf": [{"required": [name]} for name in pair]} for pair in pairs]
    return {"allOf": rules} if rules else {}


def nullable(schema: Schema) -> Schema:
    """Returns a schema that also admits null."""
    if "anyOf" in schema:
        return schema | {"anyOf": [*schema["anyOf"], {"type": "null"}]}
    if "$ref" in schema:
        reference, others = {"$ref": schema["$ref"]}, dict(schema)
        del others["$ref"]
        return {"anyOf": [reference, {"type": "null"}], **others}
    admitted = schema | {"type": [schema["type"], "null"]}
    if "enum" in schema:
        admitted["enum"] = [*schema["enum"], None]
    return admitted
