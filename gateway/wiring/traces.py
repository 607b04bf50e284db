"""Traces of requests, if they are on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from gateway.settings import Settings
from services.kit.rpc.spans import Spans


@contextlib.asynccontextmanager
async def open_spans(settings: Settings) -> AsyncIterator[Spans | None]:
    """Yields what makes spans, None without traces; sends the last ones at the end."""
    spans = settings.open_spans()
    try:
        yield spans
    finally:
        if spans:
            await asyncio.to_thread(spans.close)
