"""The REST endpoints that the contract declares, read from the descriptors of its services.

Nothing here knows HTTP or JSON beyond their names; routing, codecs and the OpenAPI document are all
made from these bindings.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from google.api import httpbody_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from boxoffice import methods
from boxoffice.rest.v1 import reasons_pb2, rest_pb2
from gateway.contract.messages import Field, fields, find_message

VARIABLE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
WHOLE = "*"
REPEATED = "repeated "
HTTP_BODY = httpbody_pb2.HttpBody.DESCRIPTOR.full_name
JSON = "application/json"
EVENT_STREAM = "text/event-stream"
KEY_HEADER = "Idempotency-Key"
ETAG_HEADER = "ETag"
ACCEPT = "Accept"
ACCEPT_ENCODING = "Accept-Encoding"
ENCODING_HEADER = "Content-Encoding"
REVISION_HEADER = "X-Inventory-Revision"


@dataclass(frozen=True, slots=True)
class ShownAs:
    """A message, or an array of it."""

    message: Descriptor
    is_repeated: bool


@dataclass(frozen=True)
class Binding:
    """One REST endpoint: an HTTP method and a path template, and the RPC that they stand for."""

    rpc: MethodDescriptor
    http_method: str
    path: str
    body: str
    response_body: str

    @cached_property
    def rule(self) -> rest_pb2.MethodRule:
        """Who may call it, what it answers and refuses with."""
        return self.rpc.GetOptions().Extensions[rest_pb2.method]

    @property
    def rpc_path(self) -> str:
        """The RPC as gRPC names it: `/package.Service/Method`."""
        return f"/{self.rpc.containing_service.full_name}/{self.rpc.name}"

    @cached_property
    def is_read(self) -> bool:
        """Whether it changes nothing."""
        return methods.is_read(self.rpc)

    @property
    def is_get(self) -> bool:
        """Whether it is fetched, as pages are, and has no body."""
        return self.http_method == "GET"

    @property
    def reads_body(self) -> bool:
        """Whether the endpoint looks at a body, if only to see that it is empty."""
        return bool(self.body) or not self.is_get

    @property
    def is_update(self) -> bool:
        """Whether it changes those fields that are present, named by an `update_mask`."""
        return "update_mask" in self.rpc.input_type.fields_by_name

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """Names of the request's fields that are in the path, in their order."""
        return tuple(VARIABLE.findall(self.path))

    @cached_property
    def header_fields(self) -> Sequence[Field]:
        """Fields of the request that a header carries."""
        return [field for field in fields(self.rpc.input_type) if field.rule.request_header]

    @cached_property
    def key_field(self) -> str:
        """Name of the request's field that holds the idempotency key, or ""."""
        keys = (f.name for f in self.header_fields if f.rule.request_header == KEY_HEADER)
        return next(keys, "")

    @cached_property
    def resource(self) -> Descriptor | None:
        """The message that the body is, where it is but one field of the request."""
        message = self._body_message
        return None if message is None or message.full_name == HTTP_BODY else message

    @property
    def has_raw_request(self) -> bool:
        """Whether the body reaches the service as it was sent, in a google.api.HttpBody."""
        message = self._body_message
        return message is not None and message.full_name == HTTP_BODY

    @property
    def has_raw_response(self) -> bool:
        """Whether the service writes the body of the response, in a google.api.HttpBody."""
        shown = self.response_body_type
        if isinstance(shown, Descriptor):
            return bool(shown.full_name == HTTP_BODY)
        message = shown.message_type
        return message is not None and message.full_name == HTTP_BODY and not shown.is_repeated

    @property
    def is_stream(self) -> bool:
        """Whether the response is streamed."""
        return bool(self.rpc.server_streaming)

    @property
    def has_events(self) -> bool:
        """Whether the gateway turns the messages of a stream into Server-Sent Events."""
        is_named = self.media_type == EVENT_STREAM
        return self.is_stream and is_named and not self.has_raw_response

    @property
    def media_type(self) -> str:
        """The media type of a success."""
        return self.rule.media_type or JSON

    @cached_property
    def shown_as(self) -> ShownAs | None:
        """What the documentation shows in place of a google.api.HttpBody."""
        if not self.rule.shown_as:
            return None
        name = self.rule.shown_as.removeprefix(REPEATED)
        return ShownAs(find_message(name), is_repeated=name != self.rule.shown_as)

    @cached_property
    def body_fields(self) -> Sequence[Field]:
        """Fields that the JSON body may have."""
        if not self.body or self.has_raw_request:
            return []
        return fields(self.resource) if self.resource else self._unbound()

    @cached_property
    def query_fields(self) -> Sequence[Field]:
        """Fields of the request that the query may have."""
        if self.body == WHOLE:
            return []
        return [field for field in self._unbound() if field.name != self.body]

    @cached_property
    def copies(self) -> Mapping[str, str]:
        """Maps fields of the resource to those of the request that take a copy which differs."""
        request = fields(self.rpc.input_type)
        return {field.rule.copy_of: field.name for field in request if field.rule.copy_of}

    @cached_property
    def response_body_type(self) -> FieldDescriptor | Descriptor:
        """What is printed: a field of the response, or the response as a whole."""
        response = self.rpc.output_type
        return response.fields_by_name[self.response_body] if self.response_body else response

    @cached_property
    def response_header_fields(self) -> Sequence[tuple[str, Field]]:
        """Fields of the response, or of its resource, that a header repeats, with their paths."""
        response = self.rpc.output_type
        found = [(field.name, field) for field in fields(response)]
        resource = response.fields_by_name.get(self.response_body)
        if resource is not None and resource.message_type is not None and not resource.is_repeated:
            within = fields(resource.message_type)
            found += [(f"{resource.name}.{field.name}", field) for field in within]
        return [(path, field) for path, field in found if field.rule.response_header]

    @cached_property
    def has_version(self) -> bool:
        """Whether what it answers has a version of its own, which is its ETag."""
        return any(f.rule.response_header == ETAG_HEADER for _, f in self.response_header_fields)

    @cached_property
    def has_encoding(self) -> bool:
        """Whether its service decides how a response is compressed."""
        headers = {field.rule.response_header for _, field in self.response_header_fields}
        return ENCODING_HEADER in headers

    @cached_property
    def revision_field(self) -> str:
        """Name of the field with the revision at which a read without a version was true, or ""."""
        if not self.is_get or self.has_version:
            return ""
        headers = {f.rule.response_header: path for path, f in self.response_header_fields}
        return headers.get(REVISION_HEADER, "")

    def client_path(self, path: str) -> str:
        """Translates the path of a field in the request to the name that clients use."""
        if self.resource:
            path = path.removeprefix(f"{self.body}.")
        names = {field.name: field.rule.request_header for field in self.header_fields}
        for field in self.body_fields:
            if field.name in self.copies:
                names[self.copies[field.name]] = field.rule.copies[0]
        return names.get(path, path)

    @property
    def _body_message(self) -> Descriptor | None:
        if self.body in {"", WHOLE}:
            return None
        return self.rpc.input_type.fields_by_name[self.body].message_type

    def _unbound(self) -> list[Field]:
        return [
            field
            for field in fields(self.rpc.input_type)
            if field.name not in self.variables
            and not field.rule.request_header
            and not field.rule.copy_of
            and not field.rule.not_in_rest
            and not field.is_update_mask
        ]


def reason_name(reason: reasons_pb2.Reason.ValueType) -> str:
    """Names a reason as google.rpc.ErrorInfo does: SOLD_OUT."""
    return reasons_pb2.Reason.Name(reason).removeprefix("REASON_")
