"""One endpoint of the contract: a request is read, asked of its service, and answered."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any
from zlib import crc32

import orjson

from boxoffice.rest.v1 import rest_pb2
from gateway.admission.gate import Admission
from gateway.admission.quotas import Taken
from gateway.codec import json_body
from gateway.codec.paging import Pages
from gateway.codec.request import Decoder
from gateway.codec.response import body_encoder, header_encoders
from gateway.contract.bindings import Binding
from gateway.http import errors
from gateway.http.location import Location
from gateway.http.messages import Header, Request, Response, json_headers
from gateway.http.query import parse as parse_query
from gateway.rpc.call import Asker, Call
from services.kit.rpc.errors import Refusal

OK = 200
CREATED = 201
NO_CONTENT = 204
NOTHING = Response(NO_CONTENT, ((b"cache-control", b"no-store"),), b"")


class Endpoint:
    """Serves one binding: decode, call, encode."""

    def __init__(self, binding: Binding, call: Call, admission: Admission) -> None:
        self._binding = binding
        self._needs_body = bool(binding.body)
        self._reads_body = binding.reads_body
        self._call = call
        self._admission = admission
        self._decoder = Decoder(binding)
        self._pages = Pages(binding)
        self._shown = body_encoder(binding)
        self._own_headers = json_headers(binding.rule.cache_seconds)
        self._headers = header_encoders(binding)
        self._revision = attrgetter(binding.revision_field) if binding.revision_field else None
        self._location = Location(binding.rule.location)
        self._has_content = binding.rule.success_status != NO_CONTENT
        self._status_of = _statuses(binding.rule)

    async def __call__(self, request: Request) -> Response:
        """Answers a request. Raises Refusal."""
        message, asker, taken = await self._read(request)
        outcome = await self._call(message, asker)
        refusal = outcome if isinstance(outcome, Refusal) else None
        if taken:
            await self._admission.settle(taken, refusal)
        if refusal:
            return self._refused(request, refusal)
        if not self._has_content:
            return NOTHING
        return self._respond(request, message, outcome)

    async def _read(self, request: Request) -> tuple[Any, Asker, Sequence[Taken]]:
        """Reads in the contract's order: what cannot be parsed, who calls how often, fields."""
        carried = self._decoder.carried(request.headers)
        query = parse_query(request.query)
        body = json_body.read(request) if self._has_body(request) else ()
        authorization = request.headers.get(b"authorization", b"").decode("latin-1")
        taken = await self._admission.admit(request, authorization, body)
        try:
            asked = self._pages.ask(query)
            message = self._decoder.decode(
                request.variables, carried, asked, body, has_account=bool(authorization)
            )
        except Refusal:
            if taken:
                # No service is asked, so nothing was guessed.
                await self._admission.settle(taken, None)
            raise
        return message, Asker(request.request_id, authorization), taken

    def _has_body(self, request: Request) -> bool:
        # Where none is needed one without fields may come all the same.
        return self._needs_body or (self._reads_body and bool(request.body))

    def _respond(self, request: Request, message: Any, response: Any) -> Response:
        rows = self._shown(response)
        shown = self._pages.shown(message, response, rows)
        headers: list[Header] = [*self._own_headers, *self._pages.headers(request, response)]
        headers += filter(None, [header(response) for header in self._headers])
        status = self._status_of(response)
        if status == CREATED and (path := self._location.fill(rows)):
            headers.append((b"location", path))
        body = orjson.dumps(shown)
        if self._revision:
            headers.append((b"etag", _tag(self._revision(response), body)))
        return Response(status, headers, body)

    def _refused(self, request: Request, refusal: Refusal) -> Response:
        if refusal.violations:
            query = parse_query(request.query)
            body = json_body.read(request) if self._has_body(request) else ()
            refusal.violations = self._decoder.of_client(refusal.violations, query, body)
        return errors.response(refusal, self._location)


def _tag(revision: int, body: bytes) -> bytes:
    """Makes the ETag of a read. Holds end by the clock, so the revision alone is not enough."""
    return b'"%d-%08x"' % (revision, crc32(body))


def _statuses(rule: rest_pb2.MethodRule) -> Callable[[Any], int]:
    """Makes the function that gives the status of a success by its response."""
    usual, other = rule.success_status or OK, rule.other_success
    if not other.field:
        return lambda _: usual
    is_other = attrgetter(other.field)
    return lambda response: other.status if is_other(response) else usual
