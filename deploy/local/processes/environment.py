"""The environment of the processes of a run."""

import os
from collections.abc import Mapping

from deploy.local.processes.mode import Mode
from deploy.local.settings import RunSettings
from services.kit.process.setting_names import FILE

_OWNER_ONLY = ("BOXOFFICE_DATABASE_URL", "DATABASE_URL")


def environment(
    settings: RunSettings, mode: Mode, dsns: Mapping[str, str], smtp_url: str
) -> dict[str, str]:
    """Returns the environment of every process: this one's without the owner's database URL."""
    accounts = f"127.0.0.1:{settings.accounts_port}"
    events = f"127.0.0.1:{settings.events_port}"
    bookings = f"127.0.0.1:{settings.bookings_port}"
    own = {
        **mode.fixed,
        "ACCOUNTS_DATABASE_URL": dsns["accounts"],
        "ACCOUNTS_LISTEN": accounts,
        "ACCOUNTS_SMTP_URL": smtp_url,
        "BOXOFFICE_DATABASE_POOLED": "false",
        "BOXOFFICE_LOG_LEVEL": settings.log_level,
        "BOXOFFICE_OPEN_ACCESS": str(settings.open_access).lower(),
        "BOOKINGS_ACCOUNTS_TARGET": accounts,
        "BOOKINGS_DATABASE_URL": dsns["bookings"],
        "BOOKINGS_EVENTS_TARGET": events,
        "BOOKINGS_LISTEN": bookings,
        "EVENTS_ACCOUNTS_TARGET": accounts,
        "EVENTS_BOOKINGS_TARGET": bookings,
        "EVENTS_DATABASE_URL": dsns["events"],
        "EVENTS_LISTEN": events,
        "EXTRA_PORTS": ",".join(str(port) for port in settings.extra_ports),
        "GATEWAY_ACCOUNTS_TARGET": accounts,
        "GATEWAY_BOOKINGS_TARGET": bookings,
        "GATEWAY_EVENTS_TARGET": events,
        "GATEWAY_HOST": settings.host,
        "PORT": str(settings.port),
    }
    # A secret that is set here has no file as well.
    dropped = {*_OWNER_ONLY, *own}
    inherited = {
        name: value for name, value in os.environ.items() if name.removesuffix(FILE) not in dropped
    }
    defaults = {
        name: value for name, value in mode.defaults.items() if name + FILE not in inherited
    }
    return defaults | inherited | own
