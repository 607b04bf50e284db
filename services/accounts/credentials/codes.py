"""Codes by which people show that an address is theirs.

An address has one code at a time, for one purpose. It is guessed in at most 5 tries, is asked for
at most 20 times in 24 hours, and has 6 digits: 100 guesses a day find one in 10,000.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from enum import StrEnum

from services.accounts.errors import InvalidCode, RateLimited
from services.accounts.users.addresses import Address
from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool

SQL = queries.load(__file__)
EXPIRES_IN_SECONDS = 600
RESEND_AFTER_SECONDS = 60
FORGOTTEN_AT_ONCE = 1_000


class Purpose(StrEnum):
    """What a code is for, and good for alone."""

    REGISTER = "REGISTER"
    RESET = "RESET"
    CHANGE_EMAIL = "CHANGE_EMAIL"


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a code proves: that an address is the caller's, for a purpose.

    `account_id` is who asked, where only they may bring the code.
    """

    address: Address
    purpose: Purpose
    account_id: str | None = None


class Codes:
    """Issues and checks codes. Without the secret `pepper` what is stored tells nothing."""

    def __init__(self, pool: Pool, pepper: bytes) -> None:
        self._pool = pool
        self._pepper = pepper

    async def ask(self, connection: Connection, challenge: Challenge) -> None:
        """Notes that a code is wanted, within the caller's transaction; any earlier one ends.

        Raises RateLimited within 60 seconds of the last time, and after 20 times in 24 hours.
        """
        values = self._values(challenge)
        if not await (await connection.execute(SQL["ask_code"], values)).fetchone():
            [seconds] = await (await connection.execute(SQL["get_wait"], values)).fetchone() or (1,)
            raise RateLimited(retry_after_seconds=seconds)

    async def issue(self, address: Address, purpose: Purpose) -> str | None:
        """Makes the code to be mailed now; None when it is no longer wanted."""
        code = f"{secrets.randbelow(1_000_000):06}"
        async with self._pool.connection() as connection, connection.transaction():
            wanted = self._values(Challenge(address, purpose))
            row = await (await connection.execute(SQL["lock_wanted"], wanted)).fetchone()
            if row is None:
                return None
            digest = self._digest(Challenge(address, purpose, row[0]), code)
            await connection.execute(SQL["set_code"], wanted | {"hmac": digest})
        return code

    async def check(self, challenge: Challenge, code: str) -> bytes:
        """Counts a try, and only then compares; returns what `spend` takes. Raises InvalidCode.

        The try is committed first: however many guess at once, five of them are compared.
        """
        digest = self._digest(challenge, code)
        async with self._pool.connection() as connection:
            tried = await connection.execute(SQL["try_code"], self._values(challenge))
            [known] = await tried.fetchone() or (None,)
        # As much is computed where there is no code.
        if not hmac.compare_digest(digest, known or bytes(len(digest))):
            raise InvalidCode
        return digest

    async def spend(self, connection: Connection, challenge: Challenge, digest: bytes) -> None:
        """Uses a checked code up, within the transaction that it is good for.

        Of several who bring the same one, the first to get here has it; raises InvalidCode for the
        others.
        """
        values = self._values(challenge) | {"hmac": digest}
        if not (await connection.execute(SQL["spend_code"], values)).rowcount:
            raise InvalidCode

    async def forget(self) -> bool:
        """Deletes some that were last asked for over a day ago; tells whether there may be more."""
        async with self._pool.connection() as connection:
            deleted = await connection.execute(SQL["forget_codes"], {"limit": FORGOTTEN_AT_ONCE})
            return deleted.rowcount == FORGOTTEN_AT_ONCE

    def _values(self, challenge: Challenge) -> dict[str, object]:
        return {
            "address_hmac": self._hmac(challenge.address.canonical),
            "purpose": challenge.purpose,
            "account_id": challenge.account_id,
        }

    def _digest(self, challenge: Challenge, code: str) -> bytes:
        address, account_id = challenge.address.canonical, challenge.account_id or ""
        return self._hmac(challenge.purpose, address, account_id, code)

    def _hmac(self, *bound: str) -> bytes:
        return hmac.digest(self._pepper, "\x1f".join(bound).encode(), hashlib.sha256)
