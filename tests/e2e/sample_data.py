"""The sample data of the development run, in a running system."""

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime

import httpx

from deploy.local.samples.admin import admin_authorization
from deploy.local.samples.client import Client
from deploy.local.samples.loading import load as load_samples
from deploy.local.settings import PROJECT
from deploy.operator.sample_data import PASSWORD, Sample
from tests.e2e.system import System


def load(system: System, *, open_access: bool) -> None:
    """Loads it by the commands of users: `make run` with open access, and `boxoffice seed`."""
    if open_access:
        authorization = asyncio.run(admin_authorization(system.database.accounts_dsn))
        load_samples(Client(system.url, authorization), Client(system.url), datetime.now(UTC))
    subprocess.run(
        [sys.executable, "-m", "deploy.operator", "seed"],
        cwd=PROJECT,
        env={
            **os.environ,
            "ACCOUNTS_DATABASE_URL": system.database.accounts_dsn,
            "PORT": str(system.port),
        },
        stdout=subprocess.DEVNULL,
        check=True,
    )


def log_in(client: httpx.Client, who: Sample) -> dict[str, str]:
    """Logs somebody of the sample data in; returns the `Authorization` header."""
    body = {"email": who.email, "password": PASSWORD}
    token = client.post("/auth/login", json=body).json()["access_token"]
    return {"Authorization": f"Bearer {token}"}
