"""Codes in e-mails, which prove that an address belongs to the caller.

An address has one code of 6 digits at a time, for one purpose. A code may be tried 5 times and
requested 20 times in 24 hours: 100 guesses a day succeed once in 10,000 days.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
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
    """The purpose that a code is valid for."""

    REGISTER = "REGISTER"
    RESET = "RESET"
    CHANGE_EMAIL = "CHANGE_EMAIL"


@dataclass(frozen=True, slots=True)
class Challenge:
    """The claim that a code proves: an address belongs to the caller, for a purpose.

    With `account_id` only that account may use the code.
    """

    address: Address
    purpose: Purpose
    account_id: str | None = None


class Codes:
    """Issues and checks codes. They are stored as HMACs under the secret `pepper`.

    What is stored under one of `others` stays valid, so that one pepper can replace another while
    replicas have either.
    """

    def __init__(self, pool: Pool, pepper: bytes, *others: bytes) -> None:
        self._pool = pool
        self._peppers = (pepper, *others)

    async def request(self, connection: Connection, challenge: Challenge) -> None:
        """Requests a code, within the caller's transaction; ends an earlier one.

        Raises RateLimited within 60 seconds of the last request, and after 20 in 24 hours.
        """
        values = await self._values(connection, challenge)
        if not await (await connection.execute(SQL["request_code"], values)).fetchone():
            [seconds] = await (await connection.execute(SQL["get_wait"], values)).fetchone() or (1,)
            raise RateLimited(retry_after_seconds=seconds)

    async def issue(self, address: Address, purpose: Purpose) -> str | None:
        """Makes the code to send; returns None if it is no longer requested."""
        code = f"{secrets.randbelow(1_000_000):06}"
        async with self._pool.connection() as connection, connection.transaction():
            requested = await self._values(connection, Challenge(address, purpose))
            row = await (await connection.execute(SQL["lock_request"], requested)).fetchone()
            if row is None:
                return None
            [digest, *_] = self._digests(Challenge(address, purpose, row[0]), code)
            await connection.execute(SQL["set_code"], requested | {"hmac": digest})
        return code

    async def check(self, challenge: Challenge, code: str) -> bytes:
        """Counts a try, then compares; returns the digest for `spend`. Raises InvalidCode.

        The try is committed first: of many concurrent guesses only five are compared.
        """
        digests = self._digests(challenge, code)
        async with self._pool.connection() as connection:
            values = await self._values(connection, challenge)
            tried = await connection.execute(SQL["try_code"], values)
            [known] = await tried.fetchone() or (None,)
        # Without a code the comparison takes as long.
        known = known or bytes(len(digests[0]))
        equal = [digest for digest in digests if hmac.compare_digest(digest, known)]
        if not equal:
            raise InvalidCode
        return equal[0]

    async def spend(self, connection: Connection, challenge: Challenge, digest: bytes) -> None:
        """Consumes a checked code, within the transaction that it authorizes.

        Of several concurrent calls with the same code one succeeds; the others raise InvalidCode.
        """
        values = await self._values(connection, challenge) | {"hmac": digest}
        if not (await connection.execute(SQL["spend_code"], values)).rowcount:
            raise InvalidCode

    async def forget(self) -> bool:
        """Deletes some rows last requested over a day ago; returns whether there may be more."""
        async with self._pool.connection() as connection:
            deleted = await connection.execute(SQL["forget_codes"], {"limit": FORGOTTEN_AT_ONCE})
            return deleted.rowcount == FORGOTTEN_AT_ONCE

    async def _values(self, connection: Connection, challenge: Challenge) -> dict[str, object]:
        address = challenge.address.canonical
        return {
            "address_hmac": await self._stored(connection, self._hmacs(address)),
            "purpose": challenge.purpose,
            "account_id": challenge.account_id,
        }

    async def _stored(self, connection: Connection, hmacs: Sequence[bytes]) -> bytes:
        """Returns the HMAC under which an address is stored, or the one to store it under."""
        if len(hmacs) == 1:
            return hmacs[0]
        found = await connection.execute(SQL["find_address"], {"hmacs": list(hmacs)})
        [stored] = await found.fetchone() or (hmacs[0],)
        return bytes(stored)

    def _digests(self, challenge: Challenge, code: str) -> Sequence[bytes]:
        address, account_id = challenge.address.canonical, challenge.account_id or ""
        return self._hmacs(challenge.purpose, address, account_id, code)

    def _hmacs(self, *bound: str) -> Sequence[bytes]:
        """Returns the HMAC under each pepper."""
        text = "\x1f".join(bound).encode()
        return [hmac.digest(pepper, text, hashlib.sha256) for pepper in self._peppers]
