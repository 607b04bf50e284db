"""The sample data of the development run, in a running system."""

import os
import subprocess
import sys

import httpx

from deploy.local.sample_events import seed
from deploy.local.settings import PROJECT
from deploy.operator.sample_data import PASSWORD, Sample
from tests.e2e.system import System


def load(system: System, *, open_access: bool) -> None:
    """Loads it by the commands of users: `make run` with open access, and `boxoffice seed`."""
    if open_access:
        seed(system.url)
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


def log_in(client: httpx.Client, sample: Sample) -> dict[str, str]:
    """Logs a sample account in; returns the `Authorization` header."""
    body = {"email": sample.email, "password": PASSWORD}
    token = client.post("/auth/login", json=body).json()["access_token"]
    return {"Authorization": f"Bearer {token}"}
