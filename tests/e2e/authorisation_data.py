"""The accounts, events and bookings that the requests of authorisation.txt are about.

Whatever a request changes is created for it alone, so no response depends on an earlier one.
"""

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import httpx
import psycopg
from google.protobuf.descriptor import MethodDescriptor

from tests.e2e.accounts import add_accounts, key_of
from tests.e2e.client import new_key, new_user, open_client
from tests.e2e.system import SERVICE_KEY, System
from tests.services.accounts.client import add_account, add_api_key

ROLES = {
    "user": "USER",
    "other": "USER",
    "organizer": "ORGANIZER",
    "owner": "ORGANIZER",
    "admin": "ADMIN",
}
EVENT = {"name": "Concert", "total_seats": 100}
TIMES = {"starts_at": "2100-01-01T20:00:00Z", "ends_at": "2100-01-01T22:00:00Z"}
PASSWORD = {"password": "correct horse battery staple"}
KEYS = {
    "events": ("owner", ["EVENTS_WRITE"]),
    "bookings": ("user", ["BOOKINGS_READ", "BOOKINGS_WRITE"]),
    "anyone": ("admin", ["BOOKINGS_ANY_USER"]),
}
WITH_WORDS = ("EventsService.ListEvents with a draft", "EventsService.ListOrganizerEvents")
"""Rows that search for a draft by a word in its name."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A caller: a column of the table. `user_id` is the user that they book for."""

    name: str
    user_id: str
    authorization: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """The credential as a header, if there is one."""
        return {"authorization": self.authorization} if self.authorization else {}


class AuthorisationData:
    """Two systems on one database, one of them with open access, and the data in them."""

    def __init__(self, opened: System, closed: System, stack: contextlib.ExitStack) -> None:
        self._opened, self._closed = opened, closed
        self._clients = {
            system.url: stack.enter_context(open_client(system.url)) for system in (opened, closed)
        }
        self._channels = {
            target: stack.enter_context(grpc.insecure_channel(target))
            for system in (opened, closed)
            for target in _targets(system).values()
        }
        people = add_accounts(closed.database, ROLES)
        self.user_id = people["user"].id
        self.api_key = key_of(closed.database, people["user"], "BOOKINGS_READ")
        self.actors = [
            Actor("nobody", "guest"),
            Actor("open", "guest"),
            *(Actor(name, person.id, person.authorization) for name, person in people.items()),
            *(
                Actor(name, people[who].id, key_of(closed.database, people[who], *scopes))
                for name, (who, scopes) in KEYS.items()
            ),
            Actor("service", "guest", f"Service {SERVICE_KEY}"),
        ]
        self.member = self._post(
            "nobody", "/api/auth/register", {"name": "Member", **self.stranger(), **PASSWORD}
        )["user"]
        self.words: dict[str, str] = {row: new_user() for row in WITH_WORDS}
        self.theater: int = self._post("admin", "/api/theaters", {"name": "Park"})["id"]
        self.published: int = self.event()
        self.draft_key: str = new_key()
        self.draft: int = self.event(status="DRAFT", key=self.draft_key)
        self.draft_of_nobody: int = self.event_of_nobody(status="DRAFT")
        self.queued: int = self._queued()
        self.seated: int = self.seated_event()
        self.seated_draft: int = self.seated_event(status="DRAFT")
        for word in self.words.values():
            self.event(name=word, status="DRAFT")
        self.booking: int = self.new_booking()
        self.booking_of_guest: int = self.new_booking_of_guest()
        self.ticket = self._ticket("user", self.booking)
        self.code = self._code("user", self.ticket)
        self.ticket_of_guest = self._ticket("open", self.booking_of_guest)
        self.payment = self.new_payment()
        self.payment_of_guest = self.new_payment_of_guest()
        self.shown_movie: int = self.movie()
        self.shown_room = self.room()
        self.shown_screening: int = self.screening()
        self.screening_draft: int = self.screening(status="DRAFT")
        self.booked_by_key: str = self.key_of_nobody()
        self.waiting = self.waited_for(self.key_of_nobody(total_seats=0))
        self.waiting_at_owner = self.waited_for(self.key(total_seats=0))

    def expendable(self, actor: Actor) -> Actor:
        """Returns a new caller of the same role, for requests that end their caller's access."""
        if actor.name not in ROLES:
            return actor
        person = add_accounts(self._closed.database, {actor.name: ROLES[actor.name]})[actor.name]
        return Actor(actor.name, person.id, person.authorization)

    def stranger(self) -> dict[str, Any]:
        """Returns an address without an account."""
        return {"email": f"{new_user()}@example.com"}

    def address(self) -> str:
        """Creates an account with a verified address; returns the address."""
        return f"{add_account(self._closed.database, email_verified=True)}@example.com"

    def credentials(self) -> dict[str, Any]:
        """Returns the credentials of a member."""
        return {"email": self.member["email"], **PASSWORD}

    def refresh_token(self) -> dict[str, Any]:
        """Logs a member in and returns the refresh token."""
        session = self._post("nobody", "/auth/login", self.credentials(), status=200)
        return {"refresh_token": session["refresh_token"]}

    def api_key_of(self, account_id: str) -> str:
        """Creates an API key of an account, or else of the user; returns its id."""
        owner = account_id if account_id.startswith("acct_") else self.user_id
        return add_api_key(self._closed.database, owner).split("_")[1]

    def api_key_of_a_stranger(self) -> str:
        """Creates an API key of an account that no caller has; returns its id."""
        return self.api_key_of(add_account(self._closed.database))

    def client(self, actor: Actor) -> httpx.Client:
        """Returns the HTTP client of the system that the actor uses."""
        return self._clients[self._system(actor).url]

    def channel(self, actor: Actor, method: MethodDescriptor) -> grpc.Channel:
        """Returns a channel to the RPC's service, in the system that the actor uses."""
        service = method.containing_service.full_name.split(".")[1]
        targets = _targets(self._system(actor))
        # Every service serves its audit log.
        return self._channels[targets.get(service, targets["events"])]

    def event(self, **fields: Any) -> int:
        """Creates an event of the owner; returns its id."""
        return self._create("owner", **fields)

    def event_today(self) -> int:
        """Creates an event of the owner whose doors are open; returns its id."""
        return self.event(starts_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())

    def event_of_nobody(self, **fields: Any) -> int:
        """Creates an event without a token; returns its id."""
        return self._create("open", **fields)

    def movie(self) -> int:
        """Creates a movie; returns its id."""
        return int(self._post("admin", "/api/movies", {"title": "Storm", "duration": 118})["id"])

    def room(self) -> dict[str, Any]:
        """Creates a room of the theater."""
        room = {"name": "Hall 1", "rows": [{"row": "A", "seats": 2}]}
        return self._post("admin", f"/api/theaters/{self.theater}/rooms", room)

    def seated_event(self, who: str = "owner", **fields: Any) -> int:
        """Creates an event in a new room; returns its id."""
        placed = {"name": "Recital", "room_id": self.room()["id"], **TIMES}
        return int(self._post(who, "/events", placed | fields)["id"])

    def new_reservation(self, who: str = "user", user_id: str = "") -> dict[str, Any]:
        """Holds a seat for the user, at an event of the owner; returns the reservation's id."""
        body = {
            "screening_id": self.seated_event(),
            "user_id": user_id or self.user_id,
            "seat_ids": [1],
        }
        made = self._post(who, "/api/seat-reservations", body)
        return {"reservation_id": made["reservation_id"]}

    def new_reservation_of_guest(self) -> dict[str, Any]:
        """Holds a seat without a token, at an event of the owner; returns the reservation's id."""
        return self.new_reservation("open", "guest")

    def screening_fields(self) -> dict[str, Any]:
        """Creates a movie and a room; returns what to show where."""
        made = {"movie_id": self.movie(), "room_id": self.room()["id"]}
        return {**made, "starts_at": "2030-05-01T18:00:00Z"}

    def screening(self, **fields: Any) -> int:
        """Creates a screening; returns its id."""
        body = self.screening_fields() | fields
        return int(self._post("admin", "/api/screenings", body)["id"])

    def ticketed(self, booking_id: int) -> dict[str, Any]:
        """Returns the request of the ticket of a booking, by its reference."""
        return {"reservation_id": self.reference(booking_id)["reference"]}

    def initialized(self) -> dict[str, Any]:
        """Creates an event of the owner by a key; returns the same request once more."""
        key = new_user()
        self.event(key=key, total_seats=1)
        return {"event_id": key, "total_tickets": 1}

    def new_booking(self) -> int:
        """Books a seat for the user, at an event of the owner."""
        body = {"event_id": self.event_today(), "user_id": self.user_id}
        return int(self._post("user", "/api/bookings/reserve", body)["booking_id"])

    def new_booking_of_guest(self) -> int:
        """Books a seat without a token, at an event of the owner."""
        body = {"event_id": self.event_today(), "user_id": "guest"}
        return int(self._post("open", "/api/bookings/reserve", body)["booking_id"])

    def to_pay(self) -> dict[str, Any]:
        """Books a priced seat for the user; returns the request of its payment."""
        return self._to_pay("user", self.user_id)

    def to_pay_of_guest(self) -> dict[str, Any]:
        """Books a priced seat without a token; returns the request of its payment."""
        return self._to_pay("open", "guest")

    def new_payment(self) -> dict[str, Any]:
        """Pays for a seat of the user; returns the payment's id."""
        return self._paid("user", self.to_pay())

    def new_payment_of_guest(self) -> dict[str, Any]:
        """Pays for a seat without a token; returns the payment's id."""
        return self._paid("open", self.to_pay_of_guest())

    def new_ticket(self) -> str:
        """Issues a ticket of the user, at an event of the owner; returns its id."""
        return self._ticket("user", self.new_booking())

    def key(self, **fields: Any) -> str:
        """Creates an event of the owner with a key, and returns the key."""
        key = new_key()
        self.event(key=key, **fields)
        return key

    def key_of_nobody(self, **fields: Any) -> str:
        """Creates an event with a key but without a token, and returns the key."""
        key = new_key()
        self.event_of_nobody(key=key, **fields)
        return key

    def waited_for(self, key: str) -> dict[str, Any]:
        """Puts the user on the waiting list of an event without seats."""
        asked = {"event_id": key, "user_id": self.user_id}
        self._post("user", "/book", asked, status=202)
        return asked

    def reference(self, booking_id: int) -> dict[str, Any]:
        """Returns the reference of a booking."""
        with psycopg.connect(self._closed.database.owner_dsn) as connection:
            asked = "SELECT reference FROM bookings.bookings WHERE id = %s"
            [reference] = connection.execute(asked, [booking_id]).fetchone() or ("",)
        return {"reference": str(reference)}

    def new_webhook(self) -> dict[str, Any]:
        """Creates a disabled webhook in place of those that the owner has; returns its id."""
        owner = next(actor for actor in self.actors if actor.name == "owner")
        with psycopg.connect(self._closed.database.owner_dsn) as connection:
            connection.execute("SET search_path TO bookings")
            connection.execute("DELETE FROM webhooks WHERE owner_id = %s", [owner.user_id])
            made = connection.execute(
                "INSERT INTO webhooks (owner_id, url, types, status, secret, position, rev)"
                " VALUES (%s, 'https://example.com', '{}', 'DISABLED', 'whsec_eA==', 0, 0)"
                " RETURNING id",
                [owner.user_id],
            )
            [webhook_id] = made.fetchone() or ("",)
        return {"webhook_id": str(webhook_id)}

    def state(self) -> dict[str, Any]:
        """Returns the catalogue state of an event that bookings knows."""
        with psycopg.connect(self._closed.database.owner_dsn) as connection:
            [epoch] = connection.execute("SELECT epoch FROM events.head").fetchone() or ("",)
        return {"event_id": self.published, "revision": 1, "epoch": epoch}

    def _system(self, actor: Actor) -> System:
        return self._opened if actor.name == "open" else self._closed

    def _ticket(self, who: str, booking_id: int) -> str:
        """Issues the ticket of a booking; returns its id."""
        made = self._post(who, "/api/tickets", self.ticketed(booking_id))
        return str(made["ticket_id"])

    def _to_pay(self, who: str, user_id: str) -> dict[str, Any]:
        event_id = self.event(price={"amount_minor": 900, "currency": "EUR"})
        asked = {"event_id": event_id, "user_id": user_id}
        booked = self._post(who, "/api/bookings/reserve", asked)["booking_id"]
        reference = self.reference(int(booked))["reference"]
        return {"reservation_id": reference, "method": "card", "token": "tok_ok"}

    def _paid(self, who: str, asked: dict[str, Any]) -> dict[str, Any]:
        return {"payment_id": self._post(who, "/api/payments", asked)["payment_id"]}

    def _queued(self) -> int:
        """Creates an event of the owner whose queue is on; returns its id."""
        event_id = self.event()
        owner = next(actor for actor in self.actors if actor.name == "owner")
        path = f"/api/queue/{event_id}"
        self.client(owner).put(path, json={"enabled": True}, headers=owner.headers)
        return event_id

    def _create(self, who: str, **fields: Any) -> int:
        return int(self._post(who, "/events", EVENT | fields)["id"])

    def _code(self, who: str, ticket_id: str) -> str:
        """Returns the code of a ticket."""
        actor = next(actor for actor in self.actors if actor.name == who)
        found = self.client(actor).get(f"/api/tickets/{ticket_id}", headers=actor.headers)
        return str(found.json()["seats"][0]["code"])

    def _post(
        self, who: str, path: str, body: dict[str, Any], *, status: int = 201
    ) -> dict[str, Any]:
        actor = next(actor for actor in self.actors if actor.name == who)
        response = self.client(actor).post(path, json=body, headers=actor.headers)
        assert response.status_code == status, response.text
        return dict(response.json())


def _targets(system: System) -> dict[str, str]:
    return {
        "accounts": system.accounts_target,
        "events": system.events_target,
        "bookings": system.bookings_targets[0],
        "rest": system.bookings_targets[0],
    }
