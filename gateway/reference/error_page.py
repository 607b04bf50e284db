"""The page of all error codes, with their statuses, meanings and advice for clients."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from itertools import groupby
from pathlib import Path
from string import Template

from boxoffice.rest.v1 import reasons_pb2
from gateway.contract.comments import Comments

PAGE = Path(__file__).parent / "static" / "errors.html"


@dataclass(frozen=True, slots=True)
class Error:
    """An error code of the contract."""

    status: int
    code: str
    meaning: str
    advice: str


def error_codes(comments: Comments) -> list[Error]:
    """Returns the codes that HTTP clients can get, sorted by status."""
    return sorted(_errors(comments), key=lambda error: error.status)


def page(comments: Comments) -> bytes:
    """Returns the HTML of the page."""
    by_status = groupby(error_codes(comments), key=lambda error: error.status)
    sections = (_section(status, list(errors)) for status, errors in by_status)
    return (
        Template(PAGE.read_text(encoding="utf-8")).substitute(statuses="".join(sections)).encode()
    )


def _errors(comments: Comments) -> Iterator[Error]:
    for value in reasons_pb2.Reason.DESCRIPTOR.values:
        rule = value.GetOptions().Extensions[reasons_pb2.reason]
        if rule.status:
            code = value.name.removeprefix("REASON_").lower()
            meaning = comments.get(f"boxoffice.rest.v1.Reason.{value.name}", "")
            yield Error(rule.status, code, meaning, rule.advice)


def _section(status: int, errors: list[Error]) -> str:
    title = f"{status} {HTTPStatus(status).phrase}"
    rows = "".join(map(_row, errors))
    return f'<section><h2 id="{status}">{title}</h2><dl>{rows}</dl></section>\n'


def _row(error: Error) -> str:
    details = f"<dd>{_html(error.meaning)}</dd><dd>{_html(error.advice)}</dd>"
    return f'<div id="{error.code}"><dt><code>{error.code}</code></dt>{details}</div>\n'


def _html(text: str) -> str:
    """Escapes a sentence, and turns backticks into `<code>`."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", html.escape(text))
