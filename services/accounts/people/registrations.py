"""Registrations: with a code from an e-mail, or without one."""

from dataclasses import dataclass, field
from enum import StrEnum

from services.accounts.credentials import sessions
from services.accounts.credentials.codes import Challenge, Codes, Purpose
from services.accounts.credentials.passwords import Passwords
from services.accounts.credentials.revocations import end_all
from services.accounts.credentials.sessions import Session
from services.accounts.errors import EmailTaken, InvalidCode
from services.accounts.outbox.outbox import EmailKind, enqueue
from services.accounts.users import users
from services.accounts.users.addresses import Address
from services.accounts.users.users import NewUser, PersonalData
from services.kit.database.postgres import Connection, Pool
from services.kit.rpc.errors import PermissionDenied

ORGANIZER = "ORGANIZER"


class OrganizerSignUp(StrEnum):
    """The policy for users who register as organizers."""

    OPEN = "open"
    """Everybody."""

    APPROVAL = "approval"
    """Users register without the role, and the operator decides."""

    CLOSED = "closed"
    """A registration as an organizer is refused."""


@dataclass(frozen=True, slots=True)
class Registration:
    """The data of a registration."""

    personal_data: PersonalData
    address: Address
    password: str = field(repr=False)
    role: str = "USER"


class Registrations:
    """Registers users."""

    def __init__(
        self, pool: Pool, codes: Codes, passwords: Passwords, organizer_sign_up: OrganizerSignUp
    ) -> None:
        self._pool = pool
        self._codes = codes
        self._passwords = passwords
        self._organizer_sign_up = organizer_sign_up

    async def send_code(self, address: Address) -> None:
        """Sends a code to register with; raises RateLimited.

        Nothing is looked up here, so neither answer nor time reveals who has an account.
        """
        async with self._pool.connection() as connection, connection.transaction():
            await self._codes.request(connection, Challenge(address, Purpose.REGISTER))
            await enqueue(connection, EmailKind.REGISTER_CODE, address)

    async def register_with_code(self, registration: Registration, code: str) -> Session:
        """Registers and begins a session; takes over an account with an unverified address.

        Raises ValidationFailed for a common password, PermissionDenied for an organizer if sign-up
        is closed, and InvalidCode. An address with a verified account was sent no code, so it is
        InvalidCode too.
        """
        self._passwords.expect_uncommon(registration.password)
        wants_to_organize = registration.role == ORGANIZER
        if wants_to_organize and self._organizer_sign_up is OrganizerSignUp.CLOSED:
            raise PermissionDenied
        challenge = Challenge(registration.address, Purpose.REGISTER)
        digest = await self._codes.check(challenge, code)
        may_organize = wants_to_organize and self._organizer_sign_up is OrganizerSignUp.OPEN
        new_user = NewUser(
            registration.personal_data,
            registration.address,
            await self._passwords.hash(registration.password),
            role=ORGANIZER if may_organize else "USER",
            email_verified=True,
            asks_to_organize=wants_to_organize and not may_organize,
        )
        async with self._pool.connection() as connection, connection.transaction():
            await self._codes.spend(connection, challenge, digest)
            session = await _registered(connection, new_user)
            if session is None:
                raise InvalidCode
        return session

    async def register(self, registration: Registration) -> Session:
        """Registers without a code and begins a session.

        Raises ValidationFailed for a common password, and EmailTaken.
        """
        self._passwords.expect_uncommon(registration.password)
        password_hash = await self._passwords.hash(registration.password)
        new_user = NewUser(registration.personal_data, registration.address, password_hash)
        async with self._pool.connection() as connection, connection.transaction():
            user = await users.add(connection, new_user)
            session = await sessions.begin(connection, user) if user else None
        if session is None:
            raise EmailTaken
        return session


async def _registered(connection: Connection, new_user: NewUser) -> Session | None:
    user = await users.add(connection, new_user)
    if user is None:
        user = await users.take_over(connection, new_user)
        if user is None:
            return None
        await end_all(connection, user.id)
    return await sessions.begin(connection, user)
