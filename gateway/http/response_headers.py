"""The response headers that clients may rely on, as OpenAPI describes them."""

from collections.abc import Mapping
from typing import Any

HEADERS: Mapping[str, Mapping[str, Any]] = {
    "Content-Location": {"description": "What there is already.", "schema": {"type": "string"}},
    "ETag": {
        "description": "The version, for `If-Match`, or what a read showed, for `If-None-Match`.",
        "schema": {"type": "string"},
    },
    "Idempotent-Replayed": {
        "description": "The stored answer of an earlier request with the same key.",
        "schema": {"const": "true"},
    },
    "Link": {"description": "The next page.", "schema": {"type": "string"}},
    "Location": {"description": "What was made.", "schema": {"type": "string"}},
    "RateLimit": {
        "description": "The limit that was reached, what remains of it and for how many seconds.",
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": "How many requests it is of, in how many seconds.",
        "schema": {"type": "string"},
    },
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string"}},
    "WWW-Authenticate": {"description": "The scheme.", "schema": {"const": "Bearer"}},
    "X-Inventory-Revision": {
        "description": "Revision of the event's inventory at which this was true.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "X-Seats-Left": {
        "description": "Seats that are left where more were asked for.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "X-Waiting-Position": {
        "description": "Position among those who wait, from 1 on.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "X-Request-Id": {
        "description": "Id of the request, the client's own if it sent one.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
    },
    "X-Total-Count": {
        "description": "Rows on all pages.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
}
