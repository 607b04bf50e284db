"""A client of the gateway that loads sample data."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from deploy.local.errors import SampleDataError
from deploy.local.local_http import open_url

_TIMEOUT_SECONDS = 10
_PATIENCE_SECONDS = 30
_PAUSE_SECONDS = 0.2


class Client:
    """Sends requests as the caller of `authorization`, or without a token.

    503 is asked again for a while: a service may still be starting. All methods raise
    SampleDataError for other refusals, and if nothing answers.
    """

    def __init__(self, gateway_url: str, authorization: str = "") -> None:
        self._gateway_url = gateway_url
        self._authorization = authorization

    def list(self, path: str, **query: str | int) -> list[dict[str, Any]]:
        """Returns a list of resources."""
        path = f"{path}?{urlencode(query)}"
        status, found = self._ask(path)
        if status != HTTPStatus.OK or not isinstance(found, list):
            raise SampleDataError(f"the gateway answered {status} to GET {path}: {found}")
        return found

    def create(self, path: str, resource: Mapping[str, Any]) -> dict[str, Any]:
        """Creates a resource and returns it."""
        status, made = self._ask(path, resource)
        if status != HTTPStatus.CREATED or not isinstance(made, dict):
            raise _refused(status, path, resource, made)
        return made

    def ensure(self, path: str, resource: Mapping[str, Any], *, exists: str) -> None:
        """Creates a resource unless it exists, which is the refusal `exists`."""
        status, answer = self._ask(path, resource)
        if status != HTTPStatus.CREATED and answer != {"error": exists}:
            raise _refused(status, path, resource, answer)

    def _ask(self, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        """Sends a POST with `body`, or a GET without one; returns status and response."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            status, answer = self._send(path, body)
            if status != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > until:
                return status, answer
            time.sleep(_PAUSE_SECONDS)  # the service starts in another process, and sets no event

    def _send(self, path: str, body: Mapping[str, Any] | None) -> tuple[int, Any]:
        url = f"{self._gateway_url}{path}"
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        if self._authorization:
            headers["Authorization"] = self._authorization
        request = urllib.request.Request(url, data, headers)  # noqa: S310
        try:
            with open_url(request, timeout_seconds=_TIMEOUT_SECONDS) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, _json_or_text(refusal.read())
        except urllib.error.URLError as exc:
            raise SampleDataError(
                f"nothing answers at {url}: {exc.reason}; start it with `make run`"
            ) from exc


def _refused(
    status: int, path: str, resource: Mapping[str, Any], answer: object
) -> SampleDataError:
    names = (resource[field] for field in ("key", "name", "title") if field in resource)
    name = next(names, resource)
    return SampleDataError(f"the gateway answered {status} to POST {path} of {name}: {answer}")


def _json_or_text(answer: bytes) -> Any:
    try:
        return json.loads(answer)
    except ValueError:
        return answer.decode(errors="replace")
