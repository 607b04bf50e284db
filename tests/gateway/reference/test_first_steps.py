"""The page of first steps: a newcomer finds the documentation, the mail and the first commands."""

import html
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gateway.reference.first_steps import FirstSteps

README = Path(__file__).parents[3] / "README.md"
ORIGIN = "http://localhost:3000"
MAILBOX = "http://localhost:8025"


def page(*, open_access: bool = True, mailbox_url: str = MAILBOX, origin: str = ORIGIN) -> str:
    """Writes the page."""
    steps = FirstSteps(open_access=open_access, mailbox_url=mailbox_url, headers=())
    return steps.page(origin).decode()


def links(text: str) -> dict[str, str]:
    """Maps the names of links to where they lead."""
    return {name: target for target, name in re.findall(r'<a href="([^"]+)">([^<]+)</a>', text)}


def test_it_leads_to_what_there_is() -> None:
    """A link of the first page would lead nowhere."""
    found = links(page())
    assert list(found.values())[:2] == ["/", "/docs"]
    assert (found["Sample events"], found["Mailbox"]) == ("/events", MAILBOX)


def test_only_the_development_run_has_a_mailbox_and_sample_events() -> None:
    """Users of a production system would look for a mailbox that is not there."""
    found = links(page(open_access=False, mailbox_url=""))
    assert "Mailbox" not in found
    assert found["Events"] == "/events"


def test_its_commands_are_those_of_the_readme() -> None:
    """The page and the README would teach different commands."""
    blocks = re.findall("<pre><code>(.*?)</code></pre>", page(), re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        assert html.unescape(block) in README.read_text(encoding="utf-8")


def test_it_has_no_commands_that_would_be_refused() -> None:
    """The first command that a newcomer copies would be answered with 401."""
    closed = page(open_access=False)
    assert "curl" not in closed
    assert "/api/auth/register" in closed


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        (b"localhost:4000", "http://localhost:4000"),
        (b"[::1]:3000", "http://[::1]:3000"),
        (b"<script>alert(1)</script>", ORIGIN),
        (b"x.example/'; rm -rf", ORIGIN),
        (b"", ORIGIN),
    ],
)
def test_its_commands_name_the_host_that_was_asked(host: bytes, origin: str) -> None:
    """A link could make people paste another host, or more, into their shell."""
    steps = FirstSteps(open_access=True, mailbox_url="", headers=())
    assert steps.origin(host) == origin
    encrypted = replace(steps, scheme="https").origin(host)
    assert encrypted == origin.replace("http:", "https:")


class Outline(HTMLParser):
    """Notes what a page consists of."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.attributes: dict[str, dict[str, str | None]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See HTMLParser."""
        self.found.append(tag)
        self.attributes[tag] = dict(attrs)


def test_it_can_be_read_aloud() -> None:
    """A screen reader would not find language, landmarks or headings in order."""
    outline = Outline()
    outline.feed(page())
    assert outline.attributes["html"]["lang"] == "en"
    assert outline.attributes["nav"]["aria-label"]
    assert {"title", "header", "main", "footer"} <= set(outline.found)
    headings = [tag for tag in outline.found if re.fullmatch("h[1-6]", tag)]
    assert headings == ["h1", "h2", "h2", "h2"]
    assert "script" not in outline.found
