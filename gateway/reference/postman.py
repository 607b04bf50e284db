"""The Postman collection, made from the same bindings as the routes.

`python -m gateway.reference.postman` writes it; `--check` fails if the file differs. Its first
folders are walks that pass tokens and ids from one request to the next. The other folders have
every endpoint, with the values of the walks, or else the examples of the contract.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from boxoffice.rest.v1 import rest_pb2
from gateway.codec import constraints
from gateway.contract import comments
from gateway.contract.bindings import KEY_HEADER, VARIABLE, Binding
from gateway.contract.comments import Comments, of_endpoint
from gateway.contract.messages import Field, fields
from gateway.contract.reader import read_bindings
from gateway.reference import access, examples, postman_steps
from gateway.reference.names import tag
from gateway.reference.openapi import SERVICE, SERVICE_TAG
from gateway.reference.postman_steps import NOTHING, WALKS, Step, Walk
from gateway.services import SERVICES

Json: TypeAlias = dict[str, Any]

FILE = Path(__file__).parents[2] / "docs/postman/boxoffice.postman_collection.json"
SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
ORIGINS = {"base_url": "http://localhost:3000", "mailbox_url": "http://localhost:8025"}
DESCRIPTION = """Books seats and never oversells.

The first folder is a walk from a code in the mail to a cancelled booking, the second one from a
movie to seats that are held, paid and refunded: run their requests in their order. The other
folders have every endpoint, with the values that the walks have found."""
TEXTUAL = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_ENUM)
VARIABLES = (
    "event_id",
    "event_key",
    "movie_id",
    "theater_id",
    "room_id",
    "plan_id",
    "screening_id",
    "reservation_id",
    "ticket_id",
    "payment_id",
    "booking_id",
    "reference",
    "user_id",
    "api_key_id",
    "email",
    "password",
    "code",
    "refresh_token",
)
"""Fields for which requests have variables; the walk or a person sets them."""
BEARER = {
    "type": "bearer",
    "bearer": [{"key": "token", "value": "{{access_token}}", "type": "string"}],
}


SESSION: Mapping[str, str] = {
    "access_token": "access_token",
    "refresh_token": "refresh_token",
    "user_id": "user.id",
}
"""Variables that a log-in sets, with the paths of their values in the response."""


def collection(
    bindings: Sequence[Binding], contract_comments: Comments, walks: Sequence[Walk] = WALKS
) -> Json:
    """Returns the collection of some bindings. Streams would never let its run come to an end."""
    bindings = [binding for binding in bindings if not binding.has_events]
    requests = Requests(contract_comments, first_values(bindings))
    by_service = groupby(bindings, key=lambda binding: binding.rpc.containing_service.name)
    folders = [
        {"name": tag(name), "item": [requests.item(one) for one in those]}
        for name, those in by_service
    ]
    walked = [
        {"name": walk.name, "item": list(_walked(walk, bindings, requests))} for walk in walks
    ]
    operators = [_plain(summary, "{{base_url}}", path) for path, (summary, _) in SERVICE.items()]
    variables = {**ORIGINS, "access_token": "", **requests.values}
    return {
        "info": {"name": "Boxoffice", "description": DESCRIPTION, "schema": SCHEMA},
        "auth": BEARER,
        "variable": [{"key": key, "value": value} for key, value in variables.items()],
        "item": [*walked, *folders, {"name": SERVICE_TAG, "item": operators}],
    }


def text() -> str:
    """Returns the content of the file for the whole contract."""
    whole = collection(read_bindings(SERVICES), comments.load())
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Writes or checks the file; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="gateway.reference.postman", description="Makes the collection."
    )
    parser.add_argument("--check", action="store_true", help="fail where the file differs")
    if parser.parse_args().check:
        if FILE.exists() and FILE.read_text(encoding="utf-8") == text():
            return 0
        print(f"{FILE.name} is not that of the contract: make postman", file=sys.stderr)  # noqa: T201 - it speaks to a terminal
        return 1
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text(), encoding="utf-8")
    return 0


def first_values(bindings: Sequence[Binding]) -> dict[str, str]:
    """Maps variables to their first values, the examples of the contract."""
    messages = dict.fromkeys(binding.rpc.input_type for binding in bindings)
    found = [field for message in messages for field in fields(message)]
    return {
        _variable(field): str(examples.example(field))
        for field in found
        if _variable(field) in VARIABLES
        and (constraints.is_needed(field) or examples.has_example(field))
    }


def _variable(field: Field) -> str:
    """Returns the variable of a field, or the field's name; an event has an id and a key."""
    if field.name == "event_id" and field.descriptor.type in TEXTUAL:
        return "event_key"
    names = (field.name, *field.rule.aliases)
    return next((name for name in names if name in VARIABLES), field.name)


def _first(bindings: Sequence[Binding], rpc: str) -> Binding:
    return next(binding for binding in bindings if binding.rpc.name == rpc)


def _walked(walk: Walk, bindings: Sequence[Binding], requests: "Requests") -> Iterator[Json]:
    for step in walk.steps:
        yield from _steps(_first(bindings, step.rpc), step, requests)


def _steps(binding: Binding, step: Step, requests: "Requests") -> Iterator[Json]:
    yield _step(binding, step, requests.item(binding, step.body))
    if step.rpc == postman_steps.READ_AFTER:
        item = _plain(postman_steps.READ_NAME, "{{mailbox_url}}", "/")
        item["request"]["description"] = postman_steps.READ_HINT
        item["event"] = [
            _event("prerequest", [postman_steps.READ_PREPARED]),
            _event("test", [postman_steps.READ_TESTED]),
        ]
        yield item


def _step(binding: Binding, step: Step, item: Json) -> Json:
    request = item["request"]
    request["description"] = "\n\n".join(filter(None, (request["description"], step.hint)))
    status = binding.rule.success_status or 200
    tested = [f'pm.test("{status}", () => pm.response.to.have.status({status}));']
    tested += _save_scripts({**_saved_by(binding), **step.keeps})
    prepared = [
        f'pm.collectionVariables.set("{name}", pm.variables.replaceIn("{value}"));'
        for name, value in step.before.items()
    ]
    item["event"] = [_event("prerequest", prepared)] if prepared else []
    item["event"].append(_event("test", tested))
    return item


def _saved_by(binding: Binding) -> Mapping[str, str]:
    """Maps the variables that a response always sets to the paths of their values."""
    shown = binding.response_body_type
    message = shown if isinstance(shown, Descriptor) else shown.message_type
    return SESSION if message and message.name == "Session" else NOTHING


def _save_scripts(paths: Mapping[str, str]) -> list[str]:
    return [
        f'if (pm.response.code < 300) pm.collectionVariables.set("{name}", '
        f"pm.response.json().{path});"
        for name, path in paths.items()
    ]


def _event(listen: str, lines: Sequence[str]) -> Json:
    return {"listen": listen, "script": {"type": "text/javascript", "exec": list(lines)}}


def _plain(name: str, origin: str, path: str) -> Json:
    url = {"raw": f"{origin}{path}", "host": [origin], "path": [path.removeprefix("/")]}
    request = {"method": "GET", "header": [], "url": url, "auth": {"type": "noauth"}}
    return {"name": name, "request": request, "response": []}


@dataclass(frozen=True, slots=True)
class Requests:
    """The requests of a collection.

    A field is replaced by its variable if its example is the first value of that variable.
    """

    comments: Comments
    values: Mapping[str, str]

    def item(self, binding: Binding, chosen: Mapping[str, Any] = NOTHING) -> Json:
        """Returns the request of a binding; `chosen` replaces fields of its example body."""
        name = binding.rpc.name
        summary, description = of_endpoint(self.comments.get(binding.rpc.full_name, name))
        access_text = access.describe(binding, self.comments)
        request: Json = {
            "method": binding.http_method,
            "header": [self._header(field) for field in binding.header_fields],
            "url": self._url(binding),
            "description": "\n\n".join(filter(None, (access_text, description))),
        }
        if binding.rule.access == rest_pb2.ACCESS_PUBLIC:
            request["auth"] = {"type": "noauth"}
        if binding.body and not binding.has_raw_request:
            request["header"].insert(0, {"key": "Content-Type", "value": "application/json"})
            request["body"] = {
                "mode": "raw",
                "raw": self._raw(binding, chosen),
                "options": {"raw": {"language": "json"}},
            }
        lines = _save_scripts(_saved_by(binding))
        scripts = {"event": [_event("test", lines)]} if lines else {}
        return {"name": summary, "request": request, "response": [], **scripts}

    def _raw(self, binding: Binding, chosen: Mapping[str, Any]) -> str:
        """Returns a body as JSON text; a variable for a number has no quotes."""
        body = examples.sample_body(binding)
        body |= {f.name: self._sent(f) for f in binding.body_fields if self._is_variable(f)}
        raw = json.dumps(body | dict(chosen), indent=2, ensure_ascii=False)
        for field in binding.body_fields:
            if field.descriptor.type not in TEXTUAL:
                raw = re.sub(rf'("{field.name}": )"(\{{\{{\w+\}}\}})"', r"\1\2", raw)
        return raw

    def _url(self, binding: Binding) -> Json:
        path = VARIABLE.sub(r":\1", binding.path)
        url: Json = {
            "raw": f"{{{{base_url}}}}{path}",
            "host": ["{{base_url}}"],
            "path": path.removeprefix("/").split("/"),
        }
        if binding.variables:
            by_name = {field.name: field for field in fields(binding.rpc.input_type)}
            url["variable"] = [
                {"key": name, "value": self._sent(by_name[name])} for name in binding.variables
            ]
        if binding.query_fields:
            url["query"] = [self._query(field) for field in binding.query_fields]
        return url

    def _query(self, field: Field) -> Json:
        described = {"key": field.name, "value": "", "description": self._comment(field)}
        if constraints.is_needed(field) or examples.has_example(field):
            return described | {"value": self._sent(field)}
        return described | {"disabled": True}

    def _header(self, field: Field) -> Json:
        name = field.rule.request_header
        value = "{{$guid}}" if name == KEY_HEADER else ""
        comment = self._comment(field)
        return {"key": name, "value": value, "disabled": True, "description": comment}

    def _sent(self, field: Field) -> str:
        """Returns the variable of a field, or its example."""
        if self._is_variable(field):
            return f"{{{{{_variable(field)}}}}}"
        return str(examples.example(field))

    def _is_variable(self, field: Field) -> bool:
        value = self.values.get(_variable(field))
        is_shown = constraints.is_needed(field) or examples.has_example(field)
        return is_shown and value == str(examples.example(field))

    def _comment(self, field: Field) -> str:
        return self.comments.get(field.descriptor.full_name, "")


if __name__ == "__main__":
    sys.exit(main())
