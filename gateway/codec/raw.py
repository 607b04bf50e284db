"""Bodies that pass as bytes between client and service, in a google.api.HttpBody."""

from collections.abc import Callable
from operator import attrgetter
from typing import TypeAlias

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import Message

from gateway.contract.bindings import Binding
from gateway.http import headers
from gateway.http.messages import Request

BodyOf: TypeAlias = Callable[[Message], HttpBody]


def read(request: Request) -> HttpBody | None:
    """Returns the body of a request and its media type, or None if it is empty.

    Raises UnsupportedMediaType for a compressed one.
    """
    headers.require_uncompressed(request.headers.get(b"content-encoding"))
    if not request.body:
        return None
    media_type = request.headers.get(b"content-type", b"").decode("latin-1")
    return HttpBody(content_type=media_type, data=request.body)


def body_of(binding: Binding) -> BodyOf:
    """Makes the function that finds the body in a response."""
    return attrgetter(binding.response_body) if binding.response_body else _whole


def _whole(response: Message) -> HttpBody:
    if not isinstance(response, HttpBody):
        raise TypeError(f"{type(response)} is no HttpBody")
    return response
