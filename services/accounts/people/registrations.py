"""Registering: with a code that was mailed, or without one."""

from dataclasses import dataclass, field
from enum import StrEnum

from services.accounts.credentials import sessions
from services.accounts.credentials.codes import Challenge, Codes, Purpose
from services.accounts.credentials.passwords import Passwords
from services.accounts.credentials.revocations import end_all
from services.accounts.credentials.sessions import LogIn
from services.accounts.errors import EmailTaken, InvalidCode
from services.accounts.outbox.outbox import Letter, post
from services.accounts.users import users
from services.accounts.users.addresses import Address
from services.accounts.users.users import Applicant, Person
from services.kit.database.postgres import Connection, Pool
from services.kit.rpc.errors import PermissionDenied

ORGANIZER = "ORGANIZER"


class OrganizerSignUp(StrEnum):
    """Who becomes an organizer by registering as one."""

    OPEN = "open"
    """Everybody."""

    APPROVAL = "approval"
    """Nobody: they register as users, and the operator decides."""

    CLOSED = "closed"
    """Nobody: it is refused."""


@dataclass(frozen=True, slots=True)
class Form:
    """What somebody fills in to register."""

    person: Person
    address: Address
    password: str = field(repr=False)
    role: str = "USER"


class Registrations:
    """Makes accounts."""

    def __init__(
        self, pool: Pool, codes: Codes, passwords: Passwords, organizer_sign_up: OrganizerSignUp
    ) -> None:
        self._pool = pool
        self._codes = codes
        self._passwords = passwords
        self._organizer_sign_up = organizer_sign_up

    async def send_code(self, address: Address) -> None:
        """Sends a code to register with; raises RateLimited.

        Nothing is looked up here, so there is nothing to tell who has an account.
        """
        async with self._pool.connection() as connection, connection.transaction():
            await self._codes.ask(connection, Challenge(address, Purpose.REGISTER))
            await post(connection, Letter.REGISTER_CODE, address)

    async def register_with_code(self, form: Form, code: str) -> LogIn:
        """Registers and logs in; takes over an account whose address was never verified.

        Raises ValidationFailed for a common password, PermissionDenied for an organizer where none
        may sign up, and InvalidCode, also where the address is that of a verified account: no code
        was sent there.
        """
        self._passwords.expect_uncommon(form.password)
        wants_to_organize = form.role == ORGANIZER
        if wants_to_organize and self._organizer_sign_up is OrganizerSignUp.CLOSED:
            raise PermissionDenied
        challenge = Challenge(form.address, Purpose.REGISTER)
        digest = await self._codes.check(challenge, code)
        may_organize = wants_to_organize and self._organizer_sign_up is OrganizerSignUp.OPEN
        applicant = Applicant(
            form.person,
            form.address,
            await self._passwords.hash(form.password),
            role=ORGANIZER if may_organize else "USER",
            email_verified=True,
            asks_to_organize=wants_to_organize and not may_organize,
        )
        async with self._pool.connection() as connection, connection.transaction():
            await self._codes.spend(connection, challenge, digest)
            log_in = await _registered(connection, applicant)
            if log_in is None:
                raise InvalidCode
        return log_in

    async def register(self, form: Form) -> LogIn:
        """Registers a user without a code, and logs in; raises ValidationFailed and EmailTaken."""
        self._passwords.expect_uncommon(form.password)
        password_hash = await self._passwords.hash(form.password)
        applicant = Applicant(form.person, form.address, password_hash)
        async with self._pool.connection() as connection, connection.transaction():
            user = await users.add(connection, applicant)
            log_in = await sessions.begin(connection, user) if user else None
        if log_in is None:
            raise EmailTaken
        return log_in


async def _registered(connection: Connection, applicant: Applicant) -> LogIn | None:
    user = await users.add(connection, applicant)
    if user is None:
        user = await users.take_over(connection, applicant)
        if user is None:
            return None
        await end_all(connection, user.id)
    return await sessions.begin(connection, user)
