"""A signing key is replaced while people log in and book, and nobody is turned away."""

import asyncio
import itertools
import time
from datetime import timedelta

import httpx
import jwt
import pytest

from services.accounts.credentials.signing_keys import SigningKeys
from services.accounts.credentials.tokens import Tokens
from services.kit.auth.trusted_keys import REFRESH_SECONDS
from tests.e2e.accounts import Person
from tests.e2e.system import System
from tests.pools import patient_pool
from tests.services.accounts.client import add_account

LEAD = timedelta(seconds=REFRESH_SECONDS + 2)
"""Longer than any process goes on with the keys it has; the command's is ten minutes."""

PAUSE_SECONDS = 0.2
PATHS = ("/auth/me", "/events/organizer/my-events")


@pytest.mark.slow
async def test_a_rotation_under_traffic_fails_nobody(system: System) -> None:
    """A token of the former or of the new key could be refused during a rotation."""
    person = Person(add_account(system.database, role="ORGANIZER"), "ORGANIZER", "")
    statuses: list[int] = []
    kids: set[str] = set()
    async with (
        patient_pool(system.database.accounts_dsn, schema="accounts", size=2) as pool,
        httpx.AsyncClient(base_url=system.url, trust_env=False) as client,
    ):
        keys = SigningKeys(pool)
        tokens = Tokens(keys)
        former = (await tokens.issue(person)).token
        successor = await keys.rotate(lead=LEAD)
        deadline = time.monotonic() + LEAD.total_seconds() + 1
        while time.monotonic() < deadline:
            fresh = (await tokens.issue(person)).token
            kids.add(jwt.get_unverified_header(fresh)["kid"])
            for token, path in itertools.product((fresh, former), PATHS):
                response = await client.get(path, headers={"Authorization": f"Bearer {token}"})
                statuses.append(response.status_code)
            await asyncio.sleep(PAUSE_SECONDS)  # the pace of the users is what is simulated
    assert successor.kid in kids
    assert len(kids) == 2
    assert set(statuses) == {200}
