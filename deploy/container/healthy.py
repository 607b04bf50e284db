"""Checks the process of this container: `python -m deploy.container.healthy`, for health checks.

A service is healthy while it serves calls, even if its database does not answer: a restart would
not bring that back. With `--database` its database must answer, too.
"""

import asyncio
import os
import ssl
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

GATEWAYS = ("gateway", "up")
SERVICES = ("events", "bookings", "accounts")
SECONDS = 3.0
DATABASE = "--database"


def process_of(command: Sequence[str]) -> str | None:
    """Returns the process that a command line starts; None for one that serves nothing."""
    names = [argument.removeprefix("services.") for argument in command]
    return next((name for name in names if name in {*GATEWAYS, *SERVICES}), None)


async def is_healthy(
    process: str | None, environment: Mapping[str, str], *, part: str = ""
) -> bool:
    """Returns whether a process on this machine answers in time; one that serves nothing does.

    `part` names what a service reports the health of, as in grpc.health.v1; all of it by default.
    """
    if process is None:
        return True
    if process in GATEWAYS:
        has_tls = bool(environment.get("GATEWAY_TLS_CERT"))
        return await _answers_http(int(environment.get("PORT") or 3000), has_tls=has_tls)
    return await _serves_grpc(process, environment, part)


async def _answers_http(port: int, *, has_tls: bool) -> bool:
    """Returns whether the gateway answers 200 at /health."""
    context = ssl.create_default_context() if has_tls else None
    if context is not None:  # it is this container, which has no name
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
            writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            status = await reader.readline()
            writer.close()
    except (OSError, TimeoutError):
        return False
    return status.startswith(b"HTTP/1.1 200 ")


async def _serves_grpc(process: str, environment: Mapping[str, str], part: str) -> bool:
    """Returns whether the service reports that it serves."""
    # Not at the top: the check of a gateway takes a tenth of the time without gRPC.
    import grpc

    from gateway.operations.health import HealthClient
    from services.kit.rpc.channel import open_channel
    from services.kit.tls.files import TlsFiles
    from services.kit.tls.grpc_server import self_call

    prefix = process.upper()
    target = f"127.0.0.1:{environment[f'{prefix}_LISTEN'].rpartition(':')[2]}"
    given = [environment.get(f"{prefix}_TLS_{name}") for name in ("CERT", "KEY", "CA")]
    files = TlsFiles(*(Path(name) if name else None for name in given))
    if files.certificate is None:
        channel = open_channel(target)
    else:
        credentials, name = self_call(files).current()
        channel = grpc.aio.secure_channel(
            target, credentials, [("grpc.ssl_target_name_override", name)]
        )
    async with channel:
        return await HealthClient(channel).is_serving(part)


def main() -> int:
    """Checks the process with the number 1, or the one that an argument names."""
    named = [argument for argument in sys.argv[1:] if argument != DATABASE]
    command = named or Path("/proc/1/cmdline").read_text(encoding="utf-8").split("\0")
    part = "database" if DATABASE in sys.argv else ""
    return 0 if asyncio.run(is_healthy(process_of(command), os.environ, part=part)) else 1


if __name__ == "__main__":
    sys.exit(main())
