import http.client
import io
import json
import smtplib
import urllib.request
from asyncio import to_thread
from datetime import UTC, datetime
from email.message import EmailMessage
from urllib.parse import urlsplit

import pytest

from deploy.local.log_printer import LogPrinter
from deploy.local.mailbox.page import Letter, page, serve_page
from deploy.local.mailbox.smtp_server import open_mailbox, read
from services.accounts.mail import templates
from services.kit.process.loopback import addresses
from tests.e2e.system import free_ports


def sent(code: str = "012345") -> EmailMessage:
    """Returns a letter, as accounts writes it."""
    return templates.message(
        templates.register_code(code), sender="a@example.com", to="b@example.com"
    )


def send(url: str, message: EmailMessage) -> None:
    """Sends the letter to the mailbox."""
    server = urlsplit(url)
    with smtplib.SMTP(str(server.hostname), server.port or 0) as smtp:
        smtp.send_message(message)


def shown(port: int) -> str:
    """Returns the page."""
    with urllib.request.urlopen(f"http://localhost:{port}/") as answer:
        assert answer.headers["cache-control"] == "no-store"
        text: str = answer.read().decode()
        return text


async def test_a_letter_is_shown_and_its_code_logged() -> None:
    """A newcomer could need a mail server to read a code."""
    log = io.StringIO()
    [port] = free_ports(1)
    printer = LogPrinter(log, readable=False, coloured=False)
    async with open_mailbox(printer, page_port=port) as url:
        assert "No letters yet" in await to_thread(shown, port)
        await to_thread(send, url, sent())
        text = await to_thread(shown, port)
    assert "<pre>" in text
    assert "012345" in text
    entry = json.loads(log.getvalue())
    assert (entry["to"], entry["code"], entry["process"]) == ("b@example.com", "012345", "mailbox")


@pytest.mark.parametrize("host", [f"[{a}]" if ":" in a else a for a in addresses("localhost")])
def test_the_page_is_at_each_address_of_localhost(host: str) -> None:
    """A browser could try the one address that is not served."""
    with serve_page(list, 0) as port, urllib.request.urlopen(f"http://{host}:{port}/") as answer:
        assert answer.status == 200


def test_the_text_of_a_letter_is_escaped() -> None:
    """A name or an address in a letter could inject HTML."""
    letter = Letter(datetime.now(UTC), "<b>@c.de", "<script>", "<img>")
    assert not {"<b>", "<script>", "<img>"} & set(page([letter]).split())
    assert "&lt;script&gt;" in page([letter])


def test_other_host_names_are_refused() -> None:
    """A foreign page could read the letters by DNS rebinding."""
    with serve_page(list, 0) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/", headers={"Host": f"evil.example:{port}"})
        answer = connection.getresponse()
        assert answer.status == 421
        answer.read()
        connection.close()


@pytest.mark.parametrize("content", [b"", "no letter", b"Subject: x\n\nhello"])
def test_a_malformed_letter_is_kept(content: bytes | str) -> None:
    """A malformed letter could end the mailbox."""
    assert read(content).code is None
