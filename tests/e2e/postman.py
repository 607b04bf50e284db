"""Runs requests of a Postman collection as Postman does: variables, requests, scripts.

It knows the lines that our scripts consist of, and fails at any other. It does not pause: the test
waits for the events that the collection pauses for.
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from typing import Any, TypeAlias
from urllib.parse import quote

import httpx

Json: TypeAlias = Mapping[str, Any]

PREPARED = re.compile(
    r'pm\.collectionVariables\.set\("(\w+)", pm\.variables\.replaceIn\("(.*)"\)\);'
)
TESTED = re.compile(r'pm\.test\("\d+", \(\) => pm\.response\.to\.have\.status\((\d+)\)\);')
KEPT = re.compile(
    r"if \(pm\.response\.code < 300\) "
    r'pm\.collectionVariables\.set\("(\w+)", pm\.response\.json\(\)\.([\w.]+)\);'
)
READ = re.compile(
    r'pm\.collectionVariables\.set\("(\w+)", pm\.response\.text\(\)'
    r'\.split\(pm\.collectionVariables\.get\("(\w+)"\)\)\[1\]\.match\(/(.*)/\)\[0\]\);'
)
PAUSE = re.compile(r"setTimeout\(\(\) => \{\}, \d+\);.*")
VARIABLE = re.compile(r"\{\{([$\w]+)\}\}")


@dataclass
class Runner:
    """Runs requests one after the other; `variables` are those of the collection."""

    client: httpx.Client
    auth: Json
    variables: dict[str, str]

    def run(self, item: Json) -> httpx.Response:
        """Runs a request with its scripts; fails if one of their tests fails."""
        self._prepare(item)
        request = item["request"]
        body = self.filled(request["body"]["raw"]) if "body" in request else None
        answer = self.client.request(
            request["method"],
            self._url(request["url"]),
            headers=self._headers(request),
            content=body,
        )
        self._test(item, answer)
        return answer

    def filled(self, text: str) -> str:
        """Replaces the variables in a text; fails for one without a value."""
        return VARIABLE.sub(lambda match: self._value(match[1]), text)

    def _value(self, name: str) -> str:
        value = str(uuid.uuid4()) if name == "$guid" else self.variables.get(name)
        assert value, f"the variable {name} has no value"
        return value

    def _url(self, url: Json) -> str:
        variables = {one["key"]: one["value"] for one in url.get("variable", ())}
        parts = [
            quote(self.filled(variables[part[1:]])) if part.startswith(":") else part
            for part in url["path"]
        ]
        asked = [one for one in url.get("query", ()) if not one.get("disabled")]
        query = httpx.QueryParams({one["key"]: self.filled(one["value"]) for one in asked})
        [origin] = map(self.filled, url["host"])
        return f"{origin}/{'/'.join(parts)}" + (f"?{query}" if query else "")

    def _headers(self, request: Json) -> dict[str, str]:
        sent = [one for one in request["header"] if not one.get("disabled")]
        headers = {one["key"]: self.filled(one["value"]) for one in sent}
        auth = request.get("auth", self.auth)
        if auth["type"] == "bearer" and self.variables["access_token"]:
            [token] = auth["bearer"]
            headers["Authorization"] = f"Bearer {self.filled(token['value'])}"
        return headers

    def _prepare(self, item: Json) -> None:
        for line in _lines(item, "prerequest"):
            if not PAUSE.fullmatch(line):
                match = PREPARED.fullmatch(line)
                assert match, line
                self.variables[match[1]] = self.filled(match[2])

    def _test(self, item: Json, answer: httpx.Response) -> None:
        for line in _lines(item, "test"):
            if tested := TESTED.fullmatch(line):
                assert answer.status_code == int(tested[1]), answer.text
            elif read := READ.fullmatch(line):
                found = re.search(read[3], answer.text.split(self.variables[read[2]])[1])
                assert found, answer.text
                self.variables[read[1]] = found[0]
            else:
                kept = KEPT.fullmatch(line)
                assert kept, line
                if answer.is_success:
                    found = reduce(getitem, kept[2].split("."), answer.json())
                    self.variables[kept[1]] = str(found)


def variables(collection: Json) -> dict[str, str]:
    """Reads the variables of a collection."""
    return {one["key"]: one["value"] for one in collection["variable"]}


def _lines(item: Json, listen: str) -> list[str]:
    return [
        line
        for event in item.get("event", ())
        if event["listen"] == listen
        for line in event["script"]["exec"]
    ]
