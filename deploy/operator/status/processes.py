"""Asks every process, and every replica that its name leads to, whether it serves."""

import asyncio
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

import grpc
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.local_http import open_url
from deploy.local.settings import RunSettings
from gateway.operations.health import HealthClient
from gateway.settings import Settings as GatewaySettings
from services.kit.process.cleartext import hosts_of
from services.kit.process.ports import join, split
from services.kit.rpc.channel import open_channel
from services.kit.tls.grpc_channel import ClientTls, client_tls

SERVING, NOT_SERVING, UNREACHABLE = "serving", "not serving", "unreachable"
TIMEOUT_SECONDS = 5
_SHOWN = ("boxoffice_http_connections", "boxoffice_http_streams", "boxoffice_live_events")


@dataclass(frozen=True, slots=True)
class Process:
    """A process at an address, its state, and figures of its own."""

    name: str
    address: str
    state: str
    figures: dict[str, float]

    @property
    def is_well(self) -> bool:
        """Whether it serves."""
        return self.state == SERVING


async def look(settings: RunSettings) -> list[Process]:
    """Returns the state of the gateway and of each replica of the services.

    Calls the services as the gateway does. Raises SettingsError.
    """
    targets = {
        name: os.environ.get(f"GATEWAY_{name.upper()}_TARGET") or f"127.0.0.1:{port}"
        for name, port in (
            ("events", settings.events_port),
            ("bookings", settings.bookings_port),
            ("accounts", settings.accounts_port),
        )
    }
    tls = client_tls(GatewaySettings.load().channel_tls)
    gateway, services = await asyncio.gather(
        asyncio.to_thread(_gateway, settings.gateway_url),
        asyncio.gather(*(_replicas(name, target, tls) for name, target in targets.items())),
    )
    return [gateway, *(replica for replicas in services for replica in replicas)]


def serves(url: str) -> bool:
    """Returns whether a gateway answers at the URL, ready or not."""
    return _gateway(url).state != UNREACHABLE


def addresses(target: str) -> Sequence[str]:
    """Returns the addresses of all replicas that a gRPC target names.

    A target that only gRPC can resolve is returned as it is: one replica answers for all then.
    Raises OSError for a name that does not exist.
    """
    scheme, _, rest = target.partition(":")
    if scheme in {"ipv4", "ipv6"}:
        return rest.split(",")
    if scheme == "dns":
        target = rest.rpartition("/")[2]
    elif scheme in {"unix", "unix-abstract", "xds"}:
        return [target]
    host, port = split(target)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return sorted({join(str(address[0]), port) for *_, address in found})


async def _replicas(name: str, target: str, tls: ClientTls | None) -> list[Process]:
    try:
        found = await asyncio.to_thread(addresses, target)
    except OSError as error:
        return [Process(name, target, f"{UNREACHABLE}: {error.strerror}", {})]
    # An address has no name of its own to be checked.
    server_name = hosts_of(target)[0]
    channels = (open_channel(address, tls, server_name=server_name) for address in found)
    replicas = zip(found, channels, strict=True)
    return list(await asyncio.gather(*(_replica(name, *replica) for replica in replicas)))


async def _replica(name: str, address: str, opened: grpc.aio.Channel) -> Process:
    async with opened as channel:
        health = HealthClient(channel)
        if not await health.is_reachable():
            return Process(name, address, UNREACHABLE, {})
        state = SERVING if await health.is_serving("") else NOT_SERVING
        return Process(name, address, state, {})


def _gateway(url: str) -> Process:
    """Asks a gateway whether it is ready, and for its metrics."""
    try:
        with open_url(f"{url}/ready", timeout_seconds=TIMEOUT_SECONDS) as response:
            state = SERVING if response.status == HTTPStatus.OK else NOT_SERVING
        with open_url(f"{url}/metrics", timeout_seconds=TIMEOUT_SECONDS) as response:
            metrics = response.read().decode()
    except OSError as error:
        refused = getattr(error, "code", None)
        return Process("gateway", url, NOT_SERVING if refused else UNREACHABLE, {})
    figures = {
        sample.name.removeprefix("boxoffice_"): sample.value
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if sample.name in _SHOWN
    }
    return Process("gateway", url, state, figures)
