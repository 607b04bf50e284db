"""The Postman collection, made from the same bindings as the routes: `python -m gateway.postman`.

Its first folder is a walk that carries tokens and ids from one request to the next; the others have
every endpoint. With `--check` nothing is written, and what differs fails.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

from google.protobuf.descriptor import FieldDescriptor

from boxoffice.rest.v1 import rest_pb2
from gateway import comments, contract, walkthrough
from gateway.__main__ import SERVICES
from gateway.comments import Comments, of_endpoint
from gateway.contract import VARIABLE, Binding, Field
from gateway.openapi import INTRODUCTION, SERVICE
from gateway.samples import sample
from gateway.walkthrough import NOTHING, STEPS, Step

Json: TypeAlias = dict[str, Any]

FILE = Path(__file__).parents[1] / "docs/postman/boxoffice.postman_collection.json"
SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
WALK = "A walk, in this order"
TEXTUAL = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_ENUM)
SECRETS = ("access_token", "refresh_token", "email", "password", "code")
BEARER = {
    "type": "bearer",
    "bearer": [{"key": "token", "value": "{{access_token}}", "type": "string"}],
}


def collection(bindings: Sequence[Binding], said: Comments, steps: Sequence[Step] = STEPS) -> Json:
    """Makes the collection of some bindings."""
    by_service = groupby(bindings, key=lambda binding: binding.rpc.containing_service.name)
    folders = [
        {"name": name.removesuffix("Service"), "item": [_item(one, said) for one in those]}
        for name, those in by_service
    ]
    walk = [item for step in steps for item in _steps(_first(bindings, step.rpc), step, said)]
    operators = [_plain(summary, "{{base_url}}", path) for path, (summary, _) in SERVICE.items()]
    return {
        "info": {"name": "Boxoffice", "description": INTRODUCTION, "schema": SCHEMA},
        "auth": BEARER,
        "variable": list(_variables(bindings)),
        "item": [{"name": WALK, "item": walk}, *folders, {"name": "Service", "item": operators}],
    }


def text() -> str:
    """Makes the file of the whole contract."""
    made = collection(contract.read(SERVICES), comments.load())
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Writes or checks the file; returns the exit status."""
    parser = argparse.ArgumentParser(prog="gateway.postman", description="Makes the collection.")
    parser.add_argument("--check", action="store_true", help="fail where the file differs")
    if parser.parse_args().check:
        if FILE.exists() and FILE.read_text(encoding="utf-8") == text():
            return 0
        print(f"{FILE.name} is not that of the contract: make postman", file=sys.stderr)  # noqa: T201 - it speaks to a terminal
        return 1
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text(), encoding="utf-8")
    return 0


def _variables(bindings: Sequence[Binding]) -> Iterator[Json]:
    yield {"key": "base_url", "value": "http://localhost:3000"}
    yield {"key": "mailbox_url", "value": "http://localhost:8025"}
    names = dict.fromkeys(name for binding in bindings for name in binding.variables)
    for name in (*SECRETS, *names):
        yield {"key": name, "value": ""}


def _first(bindings: Sequence[Binding], rpc: str) -> Binding:
    return next(binding for binding in bindings if binding.rpc.name == rpc)


def _steps(binding: Binding, step: Step, said: Comments) -> Iterator[Json]:
    yield _step(binding, step, said)
    if step.rpc == walkthrough.READ_AFTER:
        item = _plain(walkthrough.READ_NAME, "{{mailbox_url}}", "/")
        item["request"]["description"] = walkthrough.READ_HINT
        item["event"] = [
            _event("prerequest", [walkthrough.READ_PREPARED]),
            _event("test", [walkthrough.READ_TESTED]),
        ]
        yield item


def _step(binding: Binding, step: Step, said: Comments) -> Json:
    item = _item(binding, said, step.body)
    request = item["request"]
    request["description"] = "\n\n".join(filter(None, (request["description"], step.hint)))
    status = binding.rule.success_status or 200
    tested = [f'pm.test("{status}", () => pm.response.to.have.status({status}));']
    tested += [
        f'pm.collectionVariables.set("{name}", pm.response.json().{member});'
        for name, member in step.keeps.items()
    ]
    prepared = [
        f'pm.collectionVariables.set("{name}", pm.variables.replaceIn("{value}"));'
        for name, value in step.before.items()
    ]
    item["event"] = [_event("prerequest", prepared)] if prepared else []
    item["event"].append(_event("test", tested))
    return item


def _event(listen: str, lines: Sequence[str]) -> Json:
    return {"listen": listen, "script": {"type": "text/javascript", "exec": list(lines)}}


def _item(binding: Binding, said: Comments, chosen: Mapping[str, Any] = NOTHING) -> Json:
    summary, description = of_endpoint(said.get(binding.rpc.full_name, binding.rpc.name))
    request: Json = {
        "method": binding.http_method,
        "header": [_header(field, said) for field in binding.header_fields],
        "url": _url(binding, said),
        "description": description,
    }
    if binding.rule.access == rest_pb2.ACCESS_PUBLIC:
        request["auth"] = {"type": "noauth"}
    if binding.body:
        request["header"].insert(0, {"key": "Content-Type", "value": "application/json"})
        request["body"] = {
            "mode": "raw",
            "raw": _raw(binding.body_fields, chosen),
            "options": {"raw": {"language": "json"}},
        }
    return {"name": summary, "request": request, "response": []}


def _plain(name: str, origin: str, path: str) -> Json:
    url = {"raw": f"{origin}{path}", "host": [origin], "path": [path.removeprefix("/")]}
    request = {"method": "GET", "header": [], "url": url, "auth": {"type": "noauth"}}
    return {"name": name, "request": request, "response": []}


def _raw(fields: Sequence[Field], chosen: Mapping[str, Any]) -> str:
    """Prints a body; a variable in place of a number is bare."""
    raw = json.dumps(sample(fields) | dict(chosen), indent=2, ensure_ascii=False)
    for field in fields:
        if field.descriptor.type not in TEXTUAL:
            raw = re.sub(rf'("{field.name}": )"(\{{\{{\w+\}}\}})"', r"\1\2", raw)
    return raw


def _url(binding: Binding, said: Comments) -> Json:
    path = VARIABLE.sub(r":\1", binding.path)
    url: Json = {
        "raw": f"{{{{base_url}}}}{path}",
        "host": ["{{base_url}}"],
        "path": path.removeprefix("/").split("/"),
    }
    if binding.variables:
        url["variable"] = [{"key": n, "value": f"{{{{{n}}}}}"} for n in binding.variables]
    if binding.query_fields:
        url["query"] = [_query(field, said) for field in binding.query_fields]
    return url


def _query(field: Field, said: Comments) -> Json:
    needed = sample([field])
    value = str(needed.get(field.name, ""))
    described = {"key": field.name, "value": value, "description": _comment(field, said)}
    return described if needed else described | {"disabled": True}


def _header(field: Field, said: Comments) -> Json:
    name = field.rule.request_header
    value = "{{$guid}}" if name == contract.KEY_HEADER else ""
    return {"key": name, "value": value, "disabled": True, "description": _comment(field, said)}


def _comment(field: Field, said: Comments) -> str:
    return said.get(field.descriptor.full_name, "")


if __name__ == "__main__":
    sys.exit(main())
