"""Pages of lists: `Link` and `X-Total-Count`, or `meta` beside `data`.

The names of the fields are those of AIP-158, and `page` and `total`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

from google.protobuf.message import Message

from boxoffice.rest.v1 import rest_pb2
from gateway.codec import scalars
from gateway.contract.bindings import Binding
from gateway.http.messages import Header, Request
from gateway.http.query import Pairs
from services.kit.rpc.errors import ValidationFailed, Violation

DEFAULT_SIZE = 50


class Pages:
    """The paging of one binding that has pages."""

    def __init__(self, binding: Binding) -> None:
        paging = binding.rule.paging
        self._has_numbers = paging in {rest_pb2.PAGING_TOKEN_OR_NUMBER, rest_pb2.PAGING_NUMBER}
        self._has_tokens = paging != rest_pb2.PAGING_NUMBER
        names = {field.name: field.request_names for field in binding.query_fields}
        self._token_names = names.get("page_token", ())

    def ask(self, query: Pairs) -> Pairs:
        """Adds `page=1` to a query that asks for pages by number and names none.

        A query does so if it has `limit`, or if the list has no page tokens. Raises
        ValidationFailed for a number beside a token, as they are two different pages.
        """
        if not self._has_numbers:
            return query
        given = dict(query)
        if "page" in given or "limit" in given:
            self._expect_no_token(given)
        if "page" not in given and ("limit" in given or not self._has_tokens):
            return [*query, ("page", "1")]
        return query

    def _expect_no_token(self, given: Mapping[str, str]) -> None:
        for name in self._token_names:
            if given.get(name):
                message = "cannot be given beside `page` or `limit`"
                raise ValidationFailed(violations=[Violation(name, message)])

    def shown(self, request: Any, response: Any, rows: Any) -> Any:
        """Returns the body: the rows, in an envelope if pages were asked for by number."""
        if not self._has_numbers or not request.HasField("page"):
            return rows
        limit = request.page_size or DEFAULT_SIZE
        meta = {
            "total": response.total,
            "page": request.page,
            "limit": limit,
            "total_pages": math.ceil(response.total / limit),
        }
        return {"data": rows, "meta": meta}

    def headers(self, request: Request, response: Any) -> Sequence[Header]:
        """Returns the headers with the next page and the total, as far as they are known."""
        headers: list[Header] = []
        if self._has_tokens and response.next_page_token:
            headers.append((b"link", self._link(request, response.next_page_token)))
        if _has(response, "total"):
            headers.append((b"x-total-count", b"%d" % response.total))
        return headers

    def _link(self, request: Request, token: str) -> bytes:
        pieces = [piece for piece in request.query.split(b"&") if piece]
        others = b"&".join(piece for piece in pieces if not self._is_token(piece))
        # What a client may send in a query (`>`, `"`) must not end the link.
        query = quote_from_bytes(others, safe="&=%+:;,@/?!$'()*~").encode()
        following = b"page_token=" + quote_from_bytes(token.encode(), safe="").encode()
        target = request.path.encode() + b"?" + b"&".join(filter(None, (query, following)))
        return b"<" + target + b'>; rel="next"'

    def _is_token(self, piece: bytes) -> bool:
        return unquote_to_bytes(piece.partition(b"=")[0]).decode() in self._token_names


def pages_of(binding: Binding) -> Pages | None:
    """Returns the paging of a binding; None if it has no pages."""
    return Pages(binding) if binding.rule.paging else None


def described(binding: Binding) -> str:
    """Describes for clients how a list is paged; "" where it is not paged."""
    if binding.rule.paging == rest_pb2.PAGING_UNSPECIFIED:
        return ""
    [size] = [field for field in binding.query_fields if field.name == "page_size"]
    _, most = scalars.bounds(size.descriptor)
    if binding.rule.paging == rest_pb2.PAGING_NUMBER:
        return f"A page has {DEFAULT_SIZE} rows, or as many as `limit` says: at most {most}."
    by_token = f"A page has {DEFAULT_SIZE} rows, or as many as `page_size` says: at most {most}."
    return f"{by_token} `Link` leads to the next one."


def _has(response: Message, name: str) -> bool:
    return name in response.DESCRIPTOR.fields_by_name and response.HasField(name)
