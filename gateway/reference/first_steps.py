"""The page with links for developers and the first commands to try."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from gateway.http.messages import Header, Request, Response

PAGE = Template((Path(__file__).parent / "static" / "first-steps.html").read_text(encoding="utf-8"))
HOST = re.compile(rb"[A-Za-z0-9.-]+(:[0-9]+)?|\[[0-9A-Fa-f:.]+\](:[0-9]+)?")

_JSON = "-H 'Content-Type: application/json'"
COMMANDS = (
    (
        "Reserve a seat",
        f"""curl -i $origin/api/bookings/reserve \\
  {_JSON} -d '{{"event_id": 1, "user_id": "ada"}}'""",
    ),
    (
        "Make an event of your own, and look",
        f"""curl $origin/events \\
  {_JSON} -d '{{"name": "My Concert", "total_seats": 2}}'
curl $origin/api/events/1/availability
curl '$origin/api/bookings/user?user_id=ada'""",
    ),
    (
        "Hold the best two seats of a screening",
        f"""curl -i $origin/api/seat-reservations {_JSON} \\
  -d '{{"screening_id": 6, "user_id": "ada", "best": {{"count": 2}}}}'
curl $origin/api/screenings/6/seats""",
    ),
)
"""The first commands of the README, which need open access."""

_CLOSED = """<h2>Booking a seat</h2>
      <p>needs an account here: make one with <code>POST /api/auth/register</code>, and send the
      <code>access_token</code> of the answer as <code>Authorization: Bearer</code> with each
      request. The <a href="/docs">documentation</a> says who may call what.</p>"""


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """Handles `/docs/first-steps`.

    `mailbox_url` is where the development run shows its mail, or "". With open access the page
    shows commands that work as they are, with the `scheme` that the gateway serves.
    """

    open_access: bool
    mailbox_url: str
    headers: Sequence[Header]
    scheme: str = "http"

    async def __call__(self, request: Request) -> Response:
        """Returns the page, with commands for the host that the request was sent to."""
        origin = self.origin(request.headers.get(b"host", b""))
        return Response(200, self.headers, self.page(origin))

    def origin(self, host: bytes) -> str:
        """Returns the origin for the commands; an invalid host is replaced by localhost."""
        valid = host.decode() if HOST.fullmatch(host) else "localhost:3000"
        return f"{self.scheme}://{valid}"

    def page(self, origin: str) -> bytes:
        """Returns the HTML of the page for an origin."""
        links = "\n          ".join(self._links())
        return PAGE.substitute(links=links, first=self._first(origin)).encode()

    def _links(self) -> list[str]:
        links = [_link("/docs", "API documentation", "Every endpoint, to read and to try.")]
        if self.open_access:
            links.append(_link("/events", "Sample events", "What can be booked, as JSON."))
            links.append(_link("/api/screenings", "Sample screenings", "The cinema's next week."))
        else:
            links.append(_link("/events", "Events", "What can be booked, as JSON."))
        links.append(_link("/docs/errors", "Errors", "Every code, and what to do about it."))
        if self.mailbox_url:
            links.append(_link(self.mailbox_url, "Mailbox", "The mail of this development run."))
        links.append(_link("/openapi.json", "OpenAPI 3.1", "The document for tools."))
        return links

    def _first(self, origin: str) -> str:
        if not self.open_access:
            return _CLOSED
        return "\n      ".join(
            f"<h2>{title}</h2>\n<pre><code>{_filled(command, origin)}</code></pre>"
            for title, command in COMMANDS
        )


def _link(target: str, name: str, use: str) -> str:
    return f'<li><a href="{html.escape(target)}">{name}</a><span>{use}</span></li>'


def _filled(command: str, origin: str) -> str:
    return html.escape(command.replace("$origin", origin), quote=False)
