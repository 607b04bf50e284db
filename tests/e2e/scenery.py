"""What the table of authorisation is asked about: people, their events and bookings, and requests.

Whatever a request changes is made for it alone, so no answer depends on an earlier one.
"""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
import psycopg
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from boxoffice.bookings.v1 import bookings_pb2, waiting_list_pb2
from boxoffice.rest.v1 import batch_pb2
from tests.e2e.client import new_key, new_user, open_client
from tests.e2e.people import key_of, meet
from tests.e2e.system import SERVICE_KEY, System
from tests.services.accounts.client import add_account, add_api_key
from tests.services.batch_items import item

ROLES = {
    "user": "USER",
    "other": "USER",
    "organizer": "ORGANIZER",
    "owner": "ORGANIZER",
    "admin": "ADMIN",
}
EVENT = {"name": "Concert", "total_seats": 100}
PASSWORD = {"password": "correct horse battery staple"}
KEYS = {
    "events": ("owner", ["EVENTS_WRITE"]),
    "bookings": ("user", ["BOOKINGS_READ", "BOOKINGS_WRITE"]),
    "anyone": ("admin", ["BOOKINGS_ANY_USER"]),
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who asks: a column of the table. `user_id` is who they book for."""

    name: str
    user_id: str
    authorization: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """The credential as a header, if there is one."""
        return {"authorization": self.authorization} if self.authorization else {}


class Scenery:
    """Two systems on one database, of which one is under open access, and who and what is there."""

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
        people = meet(closed.database, ROLES)
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
        self.published: int = self.event()
        self.draft_key: str = new_key()
        self.draft: int = self.event(status="DRAFT", key=self.draft_key)
        self.draft_of_nobody: int = self.event_of_nobody(status="DRAFT")
        for word in self.words.values():
            self.event(name=word, status="DRAFT")
        self.booking: int = self.new_booking()
        self.booking_of_guest: int = self.new_booking_of_guest()

    def expendable(self, actor: Actor) -> Actor:
        """Gives somebody of the same role, for whom it does not matter what becomes of them."""
        if actor.name not in ROLES:
            return actor
        person = meet(self._closed.database, {actor.name: ROLES[actor.name]})[actor.name]
        return Actor(actor.name, person.id, person.authorization)

    def stranger(self) -> dict[str, Any]:
        """Gives an address that nobody has."""
        return {"email": f"{new_user()}@example.com"}

    def credentials(self) -> dict[str, Any]:
        """Gives what a member logs in with."""
        return {"email": self.member["email"], **PASSWORD}

    def refresh_token(self) -> dict[str, Any]:
        """Logs a member in, and gives what continues that."""
        session = self._post("nobody", "/auth/login", self.credentials(), status=200)
        return {"refresh_token": session["refresh_token"]}

    def api_key_of(self, account_id: str) -> str:
        """Makes an API key of an account, or of the user for who has none; gives its id."""
        owner = account_id if account_id.startswith("acct_") else self.user_id
        return add_api_key(self._closed.database, owner).split("_")[1]

    def api_key_of_a_stranger(self) -> str:
        """Makes an API key of an account that nobody here is; gives its id."""
        return self.api_key_of(add_account(self._closed.database))

    def client(self, actor: Actor) -> httpx.Client:
        """Gives what asks the gateway of the system that an actor uses."""
        return self._clients[self._system(actor).url]

    def channel(self, actor: Actor, method: MethodDescriptor) -> grpc.Channel:
        """Gives a channel to the service of an RPC in the system that an actor uses."""
        service = method.containing_service.full_name.split(".")[1]
        return self._channels[_targets(self._system(actor))[service]]

    def event(self, **fields: Any) -> int:
        """Makes an event of the owner."""
        return self._create("owner", **fields)

    def event_of_nobody(self, **fields: Any) -> int:
        """Makes an event without a token."""
        return self._create("open", **fields)

    def initialized(self) -> dict[str, Any]:
        """Makes an event of the owner with a key, and gives what makes it."""
        key = new_user()
        self.event(key=key, total_seats=1)
        return {"event_id": key, "total_tickets": 1}

    def new_booking(self) -> int:
        """Books a seat for the user, at an event of the owner."""
        body = {"event_id": self.event(), "user_id": self.user_id}
        return int(self._post("user", "/api/bookings/reserve", body)["booking_id"])

    def new_booking_of_guest(self) -> int:
        """Books a seat without a token, at an event of the owner."""
        body = {"event_id": self.event(), "user_id": "guest"}
        return int(self._post("open", "/api/bookings/reserve", body)["booking_id"])

    def key(self, **fields: Any) -> str:
        """Makes an event of the owner that goes by a key, and gives that."""
        key = new_key()
        self.event(key=key, **fields)
        return key

    def key_of_nobody(self, **fields: Any) -> str:
        """Makes an event without a token that goes by a key, and gives that."""
        key = new_key()
        self.event_of_nobody(key=key, **fields)
        return key

    def waited_for(self, key: str) -> dict[str, Any]:
        """Has the user wait for an event without seats."""
        asked = {"event_id": key, "user_id": self.user_id}
        self._post("user", "/book", asked, status=202)
        return asked

    def reference(self, booking_id: int) -> dict[str, Any]:
        """Gives the reference of a booking."""
        with psycopg.connect(self._closed.database.owner_dsn) as connection:
            asked = "SELECT reference FROM bookings.bookings WHERE id = %s"
            [reference] = connection.execute(asked, [booking_id]).fetchone() or ("",)
        return {"reference": str(reference)}

    def state(self) -> dict[str, Any]:
        """Gives the state of an event that bookings has heard of."""
        with psycopg.connect(self._closed.database.owner_dsn) as connection:
            [epoch] = connection.execute("SELECT epoch FROM events.head").fetchone() or ("",)
        return {"event_id": self.published, "revision": 1, "epoch": epoch}

    def _system(self, actor: Actor) -> System:
        return self._opened if actor.name == "open" else self._closed

    def _create(self, who: str, **fields: Any) -> int:
        return int(self._post(who, "/events", EVENT | fields)["id"])

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


Request = Callable[[Scenery, Actor], dict[str, Any]]

RENAMED = {"event": {"name": "Gig"}, "update_mask": "name"}
CODE = {"code": "000000"}
FORM = {
    "firstname": "Ada",
    "lastname": "Lovelace",
    "email_verification_code": "000000",
    **PASSWORD,
}
COUNTRY = {"profile": {"country": "England"}, "update_mask": "country"}
EXPENDING = {"AccountsService.LogoutAll", "AccountsService.DeleteMe"}
"""Rows after which whoever asked cannot ask again."""
WITH_WORDS = ("EventsService.ListEvents with a draft", "EventsService.ListOrganizerEvents")


def seat(scenery: Scenery, actor: Actor) -> dict[str, Any]:
    """Asks for a seat of a new event, for oneself."""
    return {"event_id": scenery.event(), "user_id": actor.user_id}


def seat_for_the_user(scenery: Scenery, actor: Actor) -> dict[str, Any]:
    """Asks for a seat of a new event, for the user."""
    return {"event_id": scenery.event(), "user_id": scenery.user_id}


def batched(actor: Actor, request: Message) -> dict[str, Any]:
    """Puts a request of bookings into a batch, in the name of the actor."""
    sent = batch_pb2.BatchRequest(items=[item(request, actor.authorization)])
    return MessageToDict(sent, preserving_proto_field_name=True)


REQUESTS: Mapping[str, Request] = {
    "EventsService.CreateEvent": lambda s, a: {"event": {"name": "Gig", "total_seats": 1}},
    "EventsService.InitializeEvent": lambda s, a: {"event_id": new_key(), "total_tickets": 1},
    "EventsService.InitializeEvent of the owner's": lambda s, a: s.initialized(),
    "EventsService.GetEvent": lambda s, a: {"event_id": s.published},
    "EventsService.GetEvent of a draft": lambda s, a: {"event_id": s.draft},
    "EventsService.GetEvent of nobody's draft": lambda s, a: {"event_id": s.draft_of_nobody},
    "EventsService.ListEvents": lambda s, a: {},
    "EventsService.ListEvents with a draft": lambda s, a: {"query": s.words[WITH_WORDS[0]]},
    "EventsService.ListOrganizerEvents": lambda s, a: {"page_size": 200},
    "EventsService.UpdateEvent": lambda s, a: {"event_id": s.event(), **RENAMED},
    "EventsService.UpdateEvent of a draft": lambda s, a: {
        "event_id": s.event(status="DRAFT"),
        **RENAMED,
    },
    "EventsService.UpdateEvent of nobody's": lambda s, a: {
        "event_id": s.event_of_nobody(),
        **RENAMED,
    },
    "EventsService.DeleteEvent": lambda s, a: {"event_id": s.event()},
    "EventsService.DeleteEvent of a draft": lambda s, a: {"event_id": s.event(status="DRAFT")},
    "EventsService.DeleteEvent of nobody's": lambda s, a: {"event_id": s.event_of_nobody()},
    "CatalogueService.GetEventState": lambda s, a: {"event_id": s.draft},
    "CatalogueService.ListChanges": lambda s, a: {},
    "CatalogueService.ListEventStates": lambda s, a: {},
    "BookingsService.Reserve": seat,
    "BookingsService.Reserve for the user": seat_for_the_user,
    "BookingsService.Reserve of a draft": lambda s, a: {
        "event_id": s.draft,
        "user_id": a.user_id,
    },
    "BookingsService.GetAvailability": lambda s, a: {"event_id": s.published},
    "BookingsService.GetAvailability of a draft": lambda s, a: {"event_id": s.draft},
    "BookingsService.BatchGetAvailability": lambda s, a: {"items": [{"event_id": s.published}]},
    "BookingsService.ListBookings": lambda s, a: {},
    "BookingsService.ListUserBookings": lambda s, a: {"user_id": a.user_id},
    "BookingsService.ListUserBookings of the user": lambda s, a: {"user_id": s.user_id},
    "BookingsService.ListEventBookings": lambda s, a: {"event_id": s.published},
    "BookingsService.ListEventBookings of a draft": lambda s, a: {"event_id": s.draft},
    "BookingsService.GetBooking": lambda s, a: {"booking_id": s.booking},
    "BookingsService.GetBooking of a guest": lambda s, a: {"booking_id": s.booking_of_guest},
    "BookingsService.ListTopUsers": lambda s, a: {},
    "BookingsService.CreateBooking": lambda s, a: {"event_id": s.event(), "seat_count": 2},
    "BookingsService.CreateBooking of a draft": lambda s, a: {"event_id": s.draft, "seat_count": 2},
    "BookingsService.ListOwnBookings": lambda s, a: {},
    "BookingsService.GetBookingByReference": lambda s, a: s.reference(s.booking),
    "BookingsService.GetBookingByReference of a guest": lambda s, a: s.reference(
        s.booking_of_guest
    ),
    "BookingsService.CancelBookingByReference": lambda s, a: s.reference(s.new_booking()),
    "BookingsService.CancelBookingByReference of a guest": lambda s, a: s.reference(
        s.new_booking_of_guest()
    ),
    "WaitingListService.Book": lambda s, a: {
        "event_id": s.key_of_nobody(),
        "user_id": a.user_id,
    },
    "WaitingListService.Book for the user": lambda s, a: {
        "event_id": s.key_of_nobody(),
        "user_id": s.user_id,
    },
    "WaitingListService.Book of a draft": lambda s, a: {
        "event_id": s.draft_key,
        "user_id": a.user_id,
    },
    "WaitingListService.Cancel": lambda s, a: s.waited_for(s.key_of_nobody(total_seats=0)),
    "WaitingListService.GetEventStatus": lambda s, a: {"event_id": s.key_of_nobody()},
    "WaitingListService.GetEventStatus of the user": lambda s, a: s.waited_for(
        s.key_of_nobody(total_seats=0)
    ),
    "WaitingListService.GetEventStatus of a draft": lambda s, a: {"event_id": s.draft_key},
    "WaitingListService.ListWaitingList": lambda s, a: {"event_id": s.key()},
    "WaitingListService.GetWaitingListEntry": lambda s, a: s.waited_for(s.key(total_seats=0)),
    "WaitingListService.WatchWaitingList": lambda s, a: {
        "event_id": s.waited_for(s.key_of_nobody(total_seats=0))["event_id"]
    },
    "WaitingListService.SetSkipFit": lambda s, a: {"event_id": s.key_of_nobody()},
    "BatchService.Batch": lambda s, a: batched(a, bookings_pb2.ReserveRequest(**seat(s, a))),
    "BatchService.Batch for the user": lambda s, a: batched(
        a, bookings_pb2.ReserveRequest(**seat_for_the_user(s, a))
    ),
    "BatchService.Batch of a draft": lambda s, a: batched(
        a, bookings_pb2.GetAvailabilityRequest(event_id=s.draft)
    ),
    "BatchService.Batch of a ticket": lambda s, a: batched(
        a, waiting_list_pb2.BookRequest(event_id=s.key_of_nobody(), user_id=a.user_id)
    ),
    "InventoryService.ApplyEvent": lambda s, a: {"state": s.state()},
    "InventoryService.CancelBooking": lambda s, a: {"booking_id": s.new_booking()},
    "AccountsService.SendCode": lambda s, a: {"type": "register", **s.stranger()},
    "AccountsService.RegisterWithCode": lambda s, a: FORM | s.stranger(),
    "AccountsService.Register": lambda s, a: {"name": "Ada", **PASSWORD, **s.stranger()},
    "AccountsService.Login": lambda s, a: s.credentials(),
    "AccountsService.RefreshSession": lambda s, a: s.refresh_token(),
    "AccountsService.Logout": lambda s, a: s.refresh_token(),
    "AccountsService.LogoutAll": lambda s, a: {},
    "AccountsService.GetMe": lambda s, a: {},
    "AccountsService.UpdateMe": lambda s, a: {**COUNTRY},
    "AccountsService.DeleteMe": lambda s, a: {},
    "AccountsService.ForgotPassword": lambda s, a: s.stranger(),
    "AccountsService.ResetPassword": lambda s, a: {
        "new_password": PASSWORD["password"],
        **CODE,
        **s.stranger(),
    },
    "AccountsService.ChangeEmail": lambda s, a: CODE | s.stranger(),
    "ApiKeysService.CreateApiKey": lambda s, a: {"name": "x", "scopes": ["SCOPE_EVENTS_WRITE"]},
    "ApiKeysService.CreateApiKey for any user": lambda s, a: {
        "name": "x",
        "scopes": ["SCOPE_BOOKINGS_ANY_USER"],
    },
    "ApiKeysService.ListApiKeys": lambda s, a: {},
    "ApiKeysService.DeleteApiKey": lambda s, a: {"api_key_id": s.api_key_of(a.user_id)},
    "ApiKeysService.DeleteApiKey of another's": lambda s, a: {
        "api_key_id": s.api_key_of_a_stranger()
    },
    "IdentityService.GetSigningKeys": lambda s, a: {},
    "IdentityService.ResolveApiKey": lambda s, a: {"api_key": s.api_key.removeprefix("Bearer ")},
    "IdentityService.ListRevocations": lambda s, a: {},
    "NoticesService.SendNotices": lambda s, a: {
        "notices": [
            {
                "id": new_user(),
                "account_id": s.user_id,
                "kind": "NOTICE_KIND_PROMOTED",
                "seat_count": 1,
            }
        ]
    },
}
