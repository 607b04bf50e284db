"""The requests behind each line of authorisation.txt, as messages of the contract."""

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from boxoffice.bookings.v1 import bookings_pb2, waiting_list_pb2
from boxoffice.rest.v1 import batch_pb2
from tests.e2e.authorisation_data import PASSWORD, WITH_WORDS, Actor, AuthorisationData
from tests.e2e.client import new_key, new_user
from tests.services.batch_items import item

Request = Callable[[AuthorisationData, Actor], dict[str, Any]]

RENAMED = {"event": {"name": "Gig"}, "update_mask": "name"}
CODE = {"code": "000000"}
FORM = {
    "firstname": "Ada",
    "lastname": "Lovelace",
    "email_verification_code": "000000",
    **PASSWORD,
}
COUNTRY = {"profile": {"country": "England"}, "update_mask": "country"}
MOVIE = {"title": "Storm", "duration_minutes": 118}
WEBHOOK = {"url": "http://127.0.0.1:9/nobody-listens"}
ROOM = {"name": "Hall 1", "rows": [{"row": "A", "seats": 2}]}
EXPENDING = {"AccountsService.LogoutAll", "AccountsService.DeleteMe"}
"""Rows whose request ends the caller's access."""


def seat(data: AuthorisationData, actor: Actor) -> dict[str, Any]:
    """Returns the request of a seat for the caller, at a new event."""
    return {"event_id": data.event(), "user_id": actor.user_id}


def seat_for_the_user(data: AuthorisationData, actor: Actor) -> dict[str, Any]:
    """Returns the request of a seat for the user, at a new event."""
    return {"event_id": data.event(), "user_id": data.user_id}


def held(screening_id: int, user_id: str) -> dict[str, Any]:
    """Returns the request to hold a seat."""
    return {"screening_id": screening_id, "user_id": user_id, "seat_ids": [1]}


def blocked(screening_id: int) -> dict[str, Any]:
    """Returns the request to block a seat."""
    return {"screening_id": screening_id, "seat_ids": [2]}


def batched(actor: Actor, request: Message) -> dict[str, Any]:
    """Returns a batch with one request of bookings, as the actor."""
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
    # Other rows make more events than a page has, but few drafts.
    "EventsService.ListOrganizerEvents": lambda s, a: {
        "page_size": 200,
        "status": "EVENT_STATUS_DRAFT",
    },
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
    "MoviesService.CreateMovie": lambda s, a: {"movie": MOVIE},
    "MoviesService.GetMovie": lambda s, a: {"movie_id": s.shown_movie},
    "MoviesService.ListMovies": lambda s, a: {},
    "MoviesService.UpdateMovie": lambda s, a: {
        "movie_id": s.movie(),
        "movie": {"title": "Calm"},
        "update_mask": "title",
    },
    "MoviesService.DeleteMovie": lambda s, a: {"movie_id": s.movie()},
    "TheatersService.CreateTheater": lambda s, a: {"theater": {"name": "Park"}},
    "TheatersService.GetTheater": lambda s, a: {"theater_id": s.theater},
    "TheatersService.ListTheaters": lambda s, a: {},
    "TheatersService.CreateRoom": lambda s, a: {"theater_id": s.theater, "room": ROOM},
    "TheatersService.GetRoom": lambda s, a: {"room_id": s.shown_room["id"]},
    "TheatersService.ReplaceRoomSeats": lambda s, a: {
        "room_id": s.room()["id"],
        "room": {"name": "Hall 2"},
        "update_mask": "name",
    },
    "TheatersService.RenderSeatPlan": lambda s, a: {"plan_id": s.shown_room["plan_id"]},
    "ScreeningsService.CreateScreening": lambda s, a: {"screening": s.screening_fields()},
    "ScreeningsService.GetScreening": lambda s, a: {"screening_id": s.shown_screening},
    "ScreeningsService.GetScreening of a draft": lambda s, a: {"screening_id": s.screening_draft},
    "ScreeningsService.ListScreenings": lambda s, a: {},
    "ScreeningsService.UpdateScreening": lambda s, a: {
        "screening_id": s.screening(),
        "screening": {"price": {"amount_minor": 900, "currency": "EUR"}},
        "update_mask": "price",
    },
    "ScreeningsService.DeleteScreening": lambda s, a: {"screening_id": s.screening()},
    "CatalogueService.GetEventState": lambda s, a: {"event_id": s.draft},
    "CatalogueService.GetEventPlace": lambda s, a: {"event_id": s.draft},
    "CatalogueService.ListChanges": lambda s, a: {},
    "CatalogueService.ListEventStates": lambda s, a: {},
    "CatalogueService.GetSeatPlan": lambda s, a: {"plan_id": s.shown_room["plan_id"]},
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
    "WaitingListService.GetEventStatus": lambda s, a: {"event_id": s.booked_by_key},
    "WaitingListService.GetEventStatus of the user": lambda s, a: s.waiting,
    "WaitingListService.GetEventStatus of a draft": lambda s, a: {"event_id": s.draft_key},
    "WaitingListService.ListWaitingList": lambda s, a: {"event_id": s.key()},
    "WaitingListService.GetWaitingListEntry": lambda s, a: s.waiting_at_owner,
    "WaitingListService.WatchWaitingList": lambda s, a: {"event_id": s.waiting["event_id"]},
    "WaitingListService.SetSkipFit": lambda s, a: {"event_id": s.key_of_nobody()},
    "SeatsService.HoldSeats": lambda s, a: held(s.seated_event(), a.user_id),
    "SeatsService.HoldSeats for the user": lambda s, a: held(s.seated_event(), s.user_id),
    "SeatsService.HoldSeats of a draft": lambda s, a: held(s.seated_draft, a.user_id),
    "SeatsService.GetSeatReservation": lambda s, a: s.new_reservation(),
    "SeatsService.GetSeatReservation of a guest": lambda s, a: s.new_reservation_of_guest(),
    "SeatsService.ReleaseSeats": lambda s, a: s.new_reservation(),
    "SeatsService.ReleaseSeats of a guest": lambda s, a: s.new_reservation_of_guest(),
    "SeatsService.ReleaseUserSeats": lambda s, a: {"screening_id": s.seated, "user_id": a.user_id},
    "SeatsService.ReleaseUserSeats of the user": lambda s, a: {
        "screening_id": s.seated,
        "user_id": s.user_id,
    },
    "SeatsService.RenderFreeSeats": lambda s, a: {"screening_id": s.seated},
    "SeatsService.RenderFreeSeats of a draft": lambda s, a: {"screening_id": s.seated_draft},
    "SeatsService.SuggestSeats": lambda s, a: {"screening_id": s.seated, "seat_ids": [1]},
    "SeatsService.SuggestSeats of a draft": lambda s, a: {
        "screening_id": s.seated_draft,
        "seat_ids": [1],
    },
    "SeatsService.RenderSeatMap": lambda s, a: {"screening_id": s.seated},
    "SeatsService.RenderSeatMap of a draft": lambda s, a: {"screening_id": s.seated_draft},
    "SeatsService.GetSeatMap": lambda s, a: {"screening_id": s.seated},
    "SeatsService.GetSeatMap of a draft": lambda s, a: {"screening_id": s.seated_draft},
    "SeatsService.SetBlockedSeats": lambda s, a: blocked(s.seated),
    "SeatsService.SetBlockedSeats of a draft": lambda s, a: blocked(s.seated_draft),
    "SeatsService.SetBlockedSeats of nobody's": lambda s, a: blocked(s.seated_event("open")),
    "TicketsService.CreateTicket": lambda s, a: s.ticketed(s.booking),
    "TicketsService.CreateTicket of a guest": lambda s, a: s.ticketed(s.booking_of_guest),
    "TicketsService.CreateTicket by number": lambda s, a: {"booking_id": s.booking},
    "TicketsService.CreateTicket by number of a guest": lambda s, a: {
        "booking_id": s.booking_of_guest
    },
    "TicketsService.TransferTicket": lambda s, a: {
        "ticket_id": s.new_ticket(),
        "email": s.address(),
    },
    "TicketsService.GetTicket": lambda s, a: {"ticket_id": s.ticket},
    "TicketsService.GetTicket of a guest": lambda s, a: {"ticket_id": s.ticket_of_guest},
    "TicketsService.ListUserTickets": lambda s, a: {"user_id": a.user_id},
    "TicketsService.ListUserTickets of the user": lambda s, a: {"user_id": s.user_id},
    "TicketsService.RenderTicketQrCode": lambda s, a: {"ticket_id": s.ticket},
    "TicketsService.RenderTicketQrCode of a guest": lambda s, a: {"ticket_id": s.ticket_of_guest},
    "TicketsService.RenderTicketPdf": lambda s, a: {"ticket_id": s.ticket},
    "TicketsService.RenderTicketPdf of a guest": lambda s, a: {"ticket_id": s.ticket_of_guest},
    "TicketsService.RenderTicketCalendar": lambda s, a: {"ticket_id": s.ticket},
    "TicketsService.RenderTicketCalendar of a guest": lambda s, a: {"ticket_id": s.ticket_of_guest},
    "TicketsService.CheckInTicket": lambda s, a: {"code": s.code, "nonce": "scan"},
    "TicketsService.GetCheckInBundle": lambda s, a: {"event_id": s.published},
    "TicketsService.GetTicketKeys": lambda s, a: {},
    "LiveService.WatchEvent": lambda s, a: {"event_id": s.published},
    "LiveService.WatchEvent of a draft": lambda s, a: {"event_id": s.draft},
    "PaymentsService.CreatePayment": lambda s, a: s.to_pay(),
    "PaymentsService.CreatePayment of a guest": lambda s, a: s.to_pay_of_guest(),
    "PaymentsService.GetPayment": lambda s, a: s.payment,
    "PaymentsService.GetPayment of a guest": lambda s, a: s.payment_of_guest,
    "PaymentsService.ListUserPayments": lambda s, a: {"user_id": a.user_id},
    "PaymentsService.ListUserPayments of the user": lambda s, a: {"user_id": s.user_id},
    "PaymentsService.RefundPayment": lambda s, a: s.new_payment(),
    "PaymentsService.RefundPayment of a guest": lambda s, a: s.new_payment_of_guest(),
    "PaymentsService.ReceiveProviderEvent": lambda s, a: {"provider": "sandbox"},
    "QueueService.JoinQueue": lambda s, a: {"event_id": s.queued, "user_id": a.user_id},
    "QueueService.JoinQueue for the user": lambda s, a: {
        "event_id": s.queued,
        "user_id": s.user_id,
    },
    "QueueService.GetQueue": lambda s, a: {"event_id": s.queued},
    "QueueService.GetQueue of a draft": lambda s, a: {"event_id": s.draft},
    "QueueService.LeaveQueue": lambda s, a: {"event_id": s.published},
    "QueueService.SetQueue": lambda s, a: {"event_id": s.published, "enabled": False},
    "QueueService.SetQueue of a draft": lambda s, a: {"event_id": s.draft, "enabled": False},
    "QueueService.SetQueue of nobody's": lambda s, a: {
        "event_id": s.event_of_nobody(),
        "enabled": False,
    },
    "QueueLineService.WatchQueue": lambda s, a: {"event_id": s.queued},
    "QueueLineService.WatchQueue of a draft": lambda s, a: {"event_id": s.draft},
    "QueueLineService.ReportPresence": lambda s, a: {
        "event_id": s.queued,
        "queue_tokens": ["unknown"],
    },
    "ReportsService.GetEventReport": lambda s, a: {"event_id": s.published},
    "ReportsService.RenderEventReport": lambda s, a: {"event_id": s.published},
    "FeedService.RenderChanges": lambda s, a: {},
    "WebhooksService.CreateWebhook": lambda s, a: {"webhook": WEBHOOK},
    "WebhooksService.ListWebhooks": lambda s, a: {},
    "WebhooksService.GetWebhook": lambda s, a: s.new_webhook(),
    "WebhooksService.UpdateWebhook": lambda s, a: {
        **s.new_webhook(),
        "webhook": WEBHOOK,
        "update_mask": "url",
    },
    "WebhooksService.RotateWebhookSecret": lambda s, a: s.new_webhook(),
    "WebhooksService.ReplayWebhook": lambda s, a: s.new_webhook(),
    "WebhooksService.ListWebhookDeliveries": lambda s, a: s.new_webhook(),
    "WebhooksService.DeleteWebhook": lambda s, a: s.new_webhook(),
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
    "IdentityService.FindAccount": lambda s, a: {"email": s.address()},
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
    "AuditService.ListAuditEntries": lambda s, a: {},
}
