from typing import Any

import pytest
from google.protobuf.descriptor import MethodDescriptor

from boxoffice.accounts.v1 import api_keys_pb2
from boxoffice.bookings.v1 import bookings_pb2, payments_pb2, queue_pb2, webhooks_pb2
from boxoffice.events.v1 import events_pb2, theaters_pb2
from boxoffice.rest.v1 import rest_pb2
from boxoffice.type.v1 import money_pb2
from services.kit.audit.calls import AuditedMethod, actor_of
from services.kit.audit.log import Actor
from services.kit.auth.authentication import ANONYMOUS, SERVICE
from services.kit.rpc.callers import Caller, Role

ADMIN = Caller("acct_ada", Role.ADMIN)


def method(module: Any, name: str) -> MethodDescriptor:
    """Finds a method by `Service.Method`."""
    service, _, own = name.partition(".")
    found: MethodDescriptor = module.DESCRIPTOR.services_by_name[service].methods_by_name[own]
    return found


def audited(module: Any, name: str) -> AuditedMethod:
    """Returns what is recorded of a method, which must be audited."""
    found = AuditedMethod.of(method(module, name))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("caller", "actor"),
    [
        (ADMIN, Actor("ACCOUNT", "acct_ada")),
        (
            Caller("acct_ada", Role.ADMIN, frozenset(), api_key_id="k1"),
            Actor("API_KEY", "acct_ada", "k1"),
        ),
        (SERVICE, Actor("SERVICE")),
        (ANONYMOUS, Actor("ANONYMOUS")),
    ],
)
def test_callers_are_told_apart(caller: Caller, actor: Actor) -> None:
    """What a stolen API key did could look like what its owner did."""
    assert actor_of(caller) == actor


def test_an_update_names_the_fields_of_its_mask() -> None:
    """A field that an update clears could be missing, or one that it leaves alone be named."""
    request = events_pb2.UpdateEventRequest(
        event_id=12,
        event=events_pb2.Event(name="Gig", venue="Hall"),
        request_id="key",
        if_match="3",
    )
    request.update_mask.paths[:] = ["name", "description", "no such field"]
    action = audited(events_pb2, "EventsService.UpdateEvent").action(request, ADMIN, "r1")
    assert action.target == "event/12"
    assert action.fields == ["description", "name"]
    assert (action.name, action.request_id) == ("EventsService.UpdateEvent", "r1")


def test_values_are_never_recorded() -> None:
    """The log, which nothing is deleted from, could keep a secret."""
    request = webhooks_pb2.CreateWebhookRequest(
        webhook=webhooks_pb2.Webhook(url="https://user:secret@example.com", secret="whsec_1")
    )
    created = audited(webhooks_pb2, "WebhooksService.CreateWebhook")
    response = webhooks_pb2.CreateWebhookResponse(
        webhook=webhooks_pb2.Webhook(id="w1", secret="whsec_2")
    )
    action = created.action(request, ADMIN, "r1")
    assert action.fields == ["secret", "url"]
    assert "whsec" not in f"{action} {created.creation(response)}"
    assert created.creation(response) == "webhook/w1"


def test_money_and_lists_are_one_field() -> None:
    """The log could name parts of an amount as if they were fields of the request."""
    refund = payments_pb2.RefundPaymentRequest(
        payment_id="p1", amount=money_pb2.Money(amount_minor=5, currency="EUR")
    )
    refunded = audited(payments_pb2, "PaymentsService.RefundPayment").action(refund, ADMIN, "r1")
    assert (refunded.target, refunded.fields) == ("payment/p1", ["amount"])
    scopes = [rest_pb2.SCOPE_EVENTS_WRITE]
    key = api_keys_pb2.CreateApiKeyRequest(name="printer", scopes=scopes)
    made = audited(api_keys_pb2, "ApiKeysService.CreateApiKey").action(key, ADMIN, "r1")
    assert (made.target, made.fields) == (None, ["name", "scopes"])


def test_a_switch_that_is_turned_off_is_named() -> None:
    """Turning a queue off could look like a request without a change."""
    request = queue_pb2.SetQueueRequest(event_id=5, enabled=False)
    action = audited(queue_pb2, "QueueService.SetQueue").action(request, ADMIN, "r1")
    assert (action.target, action.fields) == ("event/5", ["enabled"])


def test_a_creation_inside_of_something_has_both() -> None:
    """Nobody could see of which theater a room was made."""
    room = audited(theaters_pb2, "TheatersService.CreateRoom")
    request = theaters_pb2.CreateRoomRequest(theater_id=4, room=theaters_pb2.RoomSpec(name="Hall"))
    assert room.action(request, ADMIN, "r1").target == "theater/4"
    assert room.creation(theaters_pb2.CreateRoomResponse(room_id=9)) == "room/9"


def test_what_buyers_do_is_not_audited() -> None:
    """Each booking could cost two more transactions."""
    assert AuditedMethod.of(method(bookings_pb2, "BookingsService.Reserve")) is None
