"""Serves an endpoint of the contract: reads a request, calls the service, writes the response."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from gateway.admission.gate import Admission
from gateway.admission.quotas import Hit
from gateway.codec import constraints, json_body, raw
from gateway.codec.json_body import Members
from gateway.codec.paging import pages_of
from gateway.codec.request import Decoder
from gateway.codec.response import details_of
from gateway.codec.success import successes
from gateway.contract.bindings import Binding
from gateway.http import errors
from gateway.http.location import Location
from gateway.http.messages import Request, Response
from gateway.http.query import Pairs
from gateway.http.query import parse as parse_query
from gateway.rpc.call import Call, CallContext
from services.kit.rpc.errors import Refusal


class _Read(NamedTuple):
    """A request as it was read: the message to send, for whom, and what it was made of."""

    message: Any
    context: CallContext
    hits: Sequence[Hit]
    query: Pairs
    body: Members


class Endpoint:
    """Serves one binding: decode, call, encode."""

    def __init__(self, binding: Binding, call: Call, admission: Admission) -> None:
        self._raw_field = binding.body if binding.has_raw_request else ""
        self._needs_body = constraints.is_body_needed(binding)
        self._reads_body = binding.reads_body
        self._call = call
        self._admission = admission
        self._decoder = Decoder(binding)
        self._pages = pages_of(binding)
        self._successes = successes(binding)
        self._location = Location(binding.rule.location)

    async def __call__(self, request: Request) -> Response:
        """Answers a request. Raises Refusal."""
        read = await self._read(request)
        outcome = await self._call(read.message, read.context)
        refusal = outcome if isinstance(outcome, Refusal) else None
        if read.hits:
            await self._admission.record_outcome(read.hits, refusal)
        if refusal:
            return self._refused(read, refusal)
        return self._successes.respond(request, read.message, outcome)

    async def _read(self, request: Request) -> _Read:
        """Reads in the contract's order: what cannot be parsed, who calls how often, fields."""
        carried = self._decoder.carried(request.headers)
        query = self._decoder.resumed(parse_query(request.query), request.headers)
        body: Members = ()
        if self._raw_field:
            carried[self._raw_field] = raw.read(request)
        elif self._has_body(request):
            body = json_body.read(request)
        authorization = request.headers.get(b"authorization", b"").decode("latin-1")
        hits = await self._admission.admit(request, authorization, body)
        try:
            asked = self._pages.ask(query) if self._pages else query
            message = self._decoder.decode(
                request.variables, carried, asked, body, has_account=bool(authorization)
            )
        except Refusal:
            if hits:
                # No service is asked, so nothing was guessed.
                await self._admission.record_outcome(hits, None)
            raise
        return _Read(message, CallContext(request.request_id, authorization), hits, query, body)

    def _has_body(self, request: Request) -> bool:
        return self._needs_body or (self._reads_body and bool(request.body))

    def _refused(self, read: _Read, refusal: Refusal) -> Response:
        if refusal.violations:
            refusal.violations = self._decoder.by_sent_names(
                refusal.violations, read.query, read.body
            )
        return errors.response(refusal, self._location, details_of(refusal))
