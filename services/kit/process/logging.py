"""Logging: one JSON object per line, with the id of the request."""

import logging
import sys
import zlib
from collections.abc import MutableMapping
from typing import Any

import structlog

from services.kit.rpc import context


def configure(process: str, level: str) -> None:
    """Logs everything in this process, libraries included, to stdout as JSON.

    Each line has the name `process`; `level` is the name of the lowest level that is logged.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_request_id,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, _name(process), structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # One write a line: `print` writes line ends apart, so the lines of threads could mix.
        logger_factory=structlog.WriteLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _name(process),
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)


def is_sampled(request_id: str, share: float) -> bool:
    """Returns whether a request is in the logged share; the result is the same in every process."""
    return zlib.crc32(request_id.encode()) < share * 2**32


def _name(process: str) -> structlog.typing.Processor:
    def add_process(
        logger: object, method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        event["process"] = process
        return event

    return add_process


def _add_request_id(
    logger: object, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    event.setdefault("request_id", context.request_id.get())
    return event
