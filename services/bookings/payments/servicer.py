"""The RPCs of payments."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias
from uuid import UUID

import grpc

from boxoffice.bookings.v1 import payments_pb2, payments_pb2_grpc
from services.bookings import asks
from services.bookings.access import Viewers, normalised
from services.bookings.asks import Decider
from services.bookings.payments import card_numbers, messages
from services.bookings.payments.checkouts import Checkouts
from services.bookings.payments.details import PaymentRequest
from services.bookings.payments.payments import Payments
from services.bookings.payments.provider_events import ProviderEvents, Webhook
from services.kit.database.postgres import in_doubt
from services.kit.rpc import paging
from services.kit.server.batch import Handler, Item, Outcome, answer_alone, handlers_of

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
SERVICE = payments_pb2.DESCRIPTOR.services_by_name["PaymentsService"]


class PaymentsServicer(payments_pb2_grpc.PaymentsServiceServicer):
    """Serves boxoffice.bookings.v1.PaymentsService."""

    def __init__(
        self,
        decider: Decider,
        checkouts: Checkouts,
        payments: Payments,
        events: ProviderEvents,
        *,
        open_access: bool,
    ) -> None:
        self._decider = decider
        self._checkouts = checkouts
        self._payments = payments
        self._events = events
        self._viewers = Viewers(open_access)

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The handlers of the methods whose requests share batches."""
        return handlers_of(SERVICE, CreatePayment=self._pay)

    async def CreatePayment(
        self, request: payments_pb2.CreatePaymentRequest, _: Context
    ) -> payments_pb2.CreatePaymentResponse:
        """See payments.proto."""
        return await answer_alone(self._pay, request, payments_pb2.CreatePaymentResponse)

    async def GetPayment(
        self, request: payments_pb2.GetPaymentRequest, _: Context
    ) -> payments_pb2.GetPaymentResponse:
        """See payments.proto."""
        found = await self._payments.get(UUID(request.payment_id), self._viewers.current())
        return payments_pb2.GetPaymentResponse(payment=messages.payment(found))

    async def ListUserPayments(
        self, request: payments_pb2.ListUserPaymentsRequest, _: Context
    ) -> payments_pb2.ListUserPaymentsResponse:
        """See payments.proto."""
        user_id = normalised(request.user_id)
        page = paging.parse(
            request.page_size, request.page_token, scope=f"payments of user {user_id}"
        )
        listed = await self._payments.list_of_user(user_id, page, self._viewers.current())
        found, token = paging.cut(listed, page)
        return payments_pb2.ListUserPaymentsResponse(
            payments=map(messages.payment, found), next_page_token=token
        )

    async def RefundPayment(
        self, request: payments_pb2.RefundPaymentRequest, _: Context
    ) -> payments_pb2.RefundPaymentResponse:
        """See payments.proto."""
        card_numbers.expect_none({"request_id": request.request_id})
        response = await answer_alone(self._refund, request, payments_pb2.RefundPaymentResponse)
        with in_doubt():
            found = await self._payments.get(UUID(request.payment_id), self._viewers.current())
        payment = messages.payment(found)
        # A repeated response shows what it showed first.
        payment.MergeFrom(response.payment)
        response.payment.CopyFrom(payment)
        return response

    async def ReceiveProviderEvent(
        self, request: payments_pb2.ReceiveProviderEventRequest, _: Context
    ) -> payments_pb2.ReceiveProviderEventResponse:
        """See payments.proto."""
        headers = messages.signature_headers(request)
        webhook = Webhook(request.body.data, headers)
        [refusal] = await self._events.receive(request.provider, [webhook])
        if refusal:
            raise refusal
        return payments_pb2.ReceiveProviderEventResponse()

    async def _pay(
        self, items: Sequence[Item[payments_pb2.CreatePaymentRequest]], /, *, skip_busy: bool
    ) -> Sequence[Outcome]:
        requests = [
            PaymentRequest(
                messages.new_payment(item.request),
                self._viewers.of(item.caller),
                item.request.request_id,
            )
            for item in items
        ]
        return await self._checkouts.pay(requests, skip_busy=skip_busy)

    async def _refund(
        self, items: Sequence[Item[payments_pb2.RefundPaymentRequest]], /, *, skip_busy: bool
    ) -> Sequence[Outcome]:
        asked = [
            await self._payments.ask_for_refund(
                UUID(item.request.payment_id),
                messages.amount(item.request.amount) if item.request.HasField("amount") else None,
                self._viewers.of(item.caller),
                item.request.request_id,
            )
            for item in items
        ]
        response = payments_pb2.RefundPaymentResponse
        return await asks.answer(self._decider, asked, response, skip_busy=skip_busy)
