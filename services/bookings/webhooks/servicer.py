"""The RPCs of WebhooksService: each reads its request, calls webhooks, returns its response."""

from typing import Any, TypeAlias
from uuid import UUID

import grpc

from boxoffice.bookings.v1 import webhooks_pb2, webhooks_pb2_grpc
from services.bookings.feed.changes import Changes
from services.bookings.feed.cursor import Cursor
from services.bookings.webhooks import messages
from services.bookings.webhooks.webhooks import Webhooks
from services.kit.rpc.context import account_id
from services.kit.rpc.errors import ValidationFailed, Violation

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class WebhooksServicer(webhooks_pb2_grpc.WebhooksServiceServicer):
    """Serves boxoffice.bookings.v1.WebhooksService."""

    def __init__(self, webhooks: Webhooks, changes: Changes, *, public_only: bool) -> None:
        self._webhooks = webhooks
        self._changes = changes
        self._public_only = public_only

    async def CreateWebhook(
        self, request: webhooks_pb2.CreateWebhookRequest, _: Context
    ) -> webhooks_pb2.CreateWebhookResponse:
        """See webhooks.proto."""
        fields = messages.fields(request.webhook, None, public_only=self._public_only)
        if fields.url is None:
            raise ValidationFailed(violations=[Violation("webhook.url", "is required")])
        created, secret = await self._webhooks.create(account_id(), fields)
        return webhooks_pb2.CreateWebhookResponse(webhook=messages.webhook(created, secret))

    async def ListWebhooks(
        self, request: webhooks_pb2.ListWebhooksRequest, _: Context
    ) -> webhooks_pb2.ListWebhooksResponse:
        """See webhooks.proto."""
        found = await self._webhooks.list_webhooks(account_id())
        return webhooks_pb2.ListWebhooksResponse(webhooks=map(messages.webhook, found))

    async def GetWebhook(
        self, request: webhooks_pb2.GetWebhookRequest, _: Context
    ) -> webhooks_pb2.GetWebhookResponse:
        """See webhooks.proto."""
        found = await self._webhooks.get(account_id(), UUID(request.webhook_id))
        return webhooks_pb2.GetWebhookResponse(webhook=messages.webhook(found))

    async def UpdateWebhook(
        self, request: webhooks_pb2.UpdateWebhookRequest, _: Context
    ) -> webhooks_pb2.UpdateWebhookResponse:
        """See webhooks.proto."""
        paths = request.update_mask.paths if request.HasField("update_mask") else None
        fields = messages.fields(request.webhook, paths, public_only=self._public_only)
        changed = await self._webhooks.update(account_id(), UUID(request.webhook_id), fields)
        return webhooks_pb2.UpdateWebhookResponse(webhook=messages.webhook(changed))

    async def DeleteWebhook(
        self, request: webhooks_pb2.DeleteWebhookRequest, _: Context
    ) -> webhooks_pb2.DeleteWebhookResponse:
        """See webhooks.proto."""
        await self._webhooks.delete(account_id(), UUID(request.webhook_id))
        return webhooks_pb2.DeleteWebhookResponse()

    async def RotateWebhookSecret(
        self, request: webhooks_pb2.RotateWebhookSecretRequest, _: Context
    ) -> webhooks_pb2.RotateWebhookSecretResponse:
        """See webhooks.proto."""
        webhook_id = UUID(request.webhook_id)
        changed, secret = await self._webhooks.rotate_secret(account_id(), webhook_id)
        return webhooks_pb2.RotateWebhookSecretResponse(webhook=messages.webhook(changed, secret))

    async def ReplayWebhook(
        self, request: webhooks_pb2.ReplayWebhookRequest, _: Context
    ) -> webhooks_pb2.ReplayWebhookResponse:
        """See webhooks.proto."""
        after = Cursor.parse(request.after)
        await self._changes.expect_kept(after)
        changed = await self._webhooks.replay(account_id(), UUID(request.webhook_id), after)
        return webhooks_pb2.ReplayWebhookResponse(webhook=messages.webhook(changed))

    async def ListWebhookDeliveries(
        self, request: webhooks_pb2.ListWebhookDeliveriesRequest, _: Context
    ) -> webhooks_pb2.ListWebhookDeliveriesResponse:
        """See webhooks.proto."""
        found = await self._webhooks.list_deliveries(account_id(), UUID(request.webhook_id))
        return webhooks_pb2.ListWebhookDeliveriesResponse(deliveries=map(messages.delivery, found))
