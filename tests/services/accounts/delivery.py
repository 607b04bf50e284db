"""Delivers e-mails in tests, and registers users."""

from dataclasses import dataclass

from services.accounts.credentials.sessions import Session
from services.accounts.mail.mailer import Mailer
from services.accounts.people.people import People
from services.accounts.people.registrations import Registration
from services.accounts.users import addresses
from services.accounts.users.addresses import Address
from services.accounts.users.users import PersonalData
from tests.services.accounts.mailbox import Mailbox

ADA = addresses.parse("Ada@example.com")
BOB = addresses.parse("bob@example.com")
PASSWORD = "correct horse battery staple"
REGISTRATION = Registration(
    PersonalData(firstname="Ada", lastname="Lovelace", country="England"), ADA, PASSWORD
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Delivers the e-mails of the outbox to the inbox."""

    mailer: Mailer
    inbox: Mailbox

    async def deliver(self) -> None:
        """Sends all e-mails that are due."""
        while await self.mailer.deliver():
            pass

    async def code(self, address: Address) -> str:
        """Delivers, and returns the code in the last e-mail to an address."""
        await self.deliver()
        return self.inbox.code(address.spelled)


async def registered(
    people: People, delivery: Delivery, registration: Registration = REGISTRATION
) -> Session:
    """Registers a user with a code."""
    await people.registrations.send_code(registration.address)
    return await people.registrations.register_with_code(
        registration, await delivery.code(registration.address)
    )


async def unverified(people: People, address: Address = ADA) -> Session:
    """Registers a user without a code."""
    return await people.registrations.register(
        Registration(PersonalData(name="Mallory"), address, PASSWORD)
    )
