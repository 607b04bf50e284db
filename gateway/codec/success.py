"""Successes in HTTP: the status, the headers and the body that an RPC's response becomes."""

from collections.abc import Callable
from http import HTTPStatus
from operator import attrgetter
from typing import Any
from zlib import crc32

import orjson
from google.protobuf.message import Message

from boxoffice.rest.v1 import rest_pb2
from gateway.codec import raw
from gateway.codec.paging import pages_of
from gateway.codec.response import body_encoder, header_encoders
from gateway.codec.stream import MessageStream, StreamedBody
from gateway.contract.bindings import EVENT_STREAM, Binding
from gateway.http.location import Location
from gateway.http.messages import BodyStream, Header, Request, Response, json_headers

NO_BUFFERING: Header = (b"x-accel-buffering", b"no")
"""Asks a proxy to pass on each part of a stream at once; nginx collects them otherwise."""
NOTHING = Response(HTTPStatus.NO_CONTENT, ((b"cache-control", b"no-store"),), b"")


class Successes:
    """The successes of one binding, in JSON."""

    def __init__(self, binding: Binding) -> None:
        self._status_of = _statuses(binding.rule)
        self._json_headers = json_headers(binding.rule.cache_seconds)
        self._headers = header_encoders(binding)
        self._revision = attrgetter(binding.revision_field) if binding.revision_field else None
        self._location = Location(binding.rule.location)
        self._pages = pages_of(binding)
        self._encode = body_encoder(binding)

    def respond(self, request: Request, message: Any, response: Any) -> Response:
        """Writes the response to a request, of which `message` was made."""
        status = self._status_of(response)
        if status == HTTPStatus.NO_CONTENT:
            return NOTHING
        if status == HTTPStatus.NOT_MODIFIED:
            return Response(status, (*self._json_headers[1:], *self._own_headers(response)), b"")
        return self._with_content(status, request, message, response)

    def _with_content(self, status: int, request: Request, message: Any, response: Any) -> Response:
        shown = rows = self._encode(response)
        headers = [*self._json_headers]
        if self._pages:
            shown = self._pages.shown(message, response, rows)
            headers += self._pages.headers(request, response)
        headers += self._own_headers(response)
        if status == HTTPStatus.CREATED and (path := self._location.fill(rows)):
            headers.append((b"location", path))
        body = orjson.dumps(shown)
        return Response(status, self._tagged(headers, response, body), body)

    def _own_headers(self, response: Any) -> list[Header]:
        """Lists the headers that repeat fields of the response."""
        return [found for header in self._headers if (found := header(response))]

    def _tagged(self, headers: list[Header], response: Any, body: bytes) -> list[Header]:
        if self._revision:
            headers.append((b"etag", _tag(self._revision(response), body)))
        return headers


class RawSuccesses(Successes):
    """The successes of a binding whose service writes the body."""

    def __init__(self, binding: Binding) -> None:
        super().__init__(binding)
        self._body_of = raw.body_of(binding)

    def _with_content(self, status: int, request: Request, message: Any, response: Any) -> Response:
        body = self._body_of(response)
        media_type = (b"content-type", body.content_type.encode())
        headers = [media_type, *self._json_headers[1:], *self._own_headers(response)]
        if status == HTTPStatus.CREATED and (path := self._location.fill(_values(response))):
            headers.append((b"location", path))
        return Response(status, self._tagged(headers, response, body.data), body.data)


class StreamedSuccesses(Successes):
    """The successes of a binding whose service streams the body; headers are its first part's."""

    def __init__(self, binding: Binding) -> None:
        super().__init__(binding)
        self._media_type = (b"content-type", binding.media_type.encode())
        self._body_of = raw.body_of(binding)

    def respond(self, request: Request, message: Any, response: MessageStream) -> Response:
        """Returns the response to a request, of which the service has sent the first part."""
        headers = [self._media_type, NO_BUFFERING, *self._json_headers[1:]]
        if response.first is None:
            return Response(HTTPStatus.OK, headers, b"")
        headers += self._own_headers(response.first)
        stream = StreamedBody(response, self._body_of)
        return Response(self._status_of(response.first), headers, b"", stream)


class EventStreams(Successes):
    """The successes of a binding whose messages are Server-Sent Events; see BodyStream."""

    def respond(self, request: Request, message: Any, response: BodyStream) -> Response:
        """Returns the response to a request, of which the stream was opened."""
        media_type = (b"content-type", EVENT_STREAM.encode())
        headers = (media_type, NO_BUFFERING, *self._json_headers[1:])
        return Response(HTTPStatus.OK, headers, b"", response)


def successes(binding: Binding) -> Successes:
    """Returns the encoder of a binding's successes."""
    if binding.has_events:
        return EventStreams(binding)
    if binding.is_stream:
        return StreamedSuccesses(binding)
    return RawSuccesses(binding) if binding.has_raw_response else Successes(binding)


def _values(response: Message) -> dict[str, object]:
    """Returns the fields of a response that are set, of which a path may be made."""
    return {field.name: value for field, value in response.ListFields()}


def _tag(revision: int, body: bytes) -> bytes:
    """Makes the ETag of a read. Holds end by the clock, so the revision alone is not enough."""
    return b'"%d-%08x"' % (revision, crc32(body))


def _statuses(rule: rest_pb2.MethodRule) -> Callable[[Any], int]:
    """Makes the function that finds the status of a success by its response."""
    usual, other = rule.success_status or HTTPStatus.OK, rule.other_success
    if not other.field:
        return lambda _: usual
    is_other = attrgetter(other.field)
    return lambda response: other.status if is_other(response) else usual
