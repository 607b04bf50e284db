"""Who brings letters in tests, and people who register."""

from dataclasses import dataclass

from services.accounts.credentials.sessions import LogIn
from services.accounts.mail.mailer import Mailing
from services.accounts.people.people import People
from services.accounts.people.registrations import Form
from services.accounts.users import addresses
from services.accounts.users.addresses import Address
from services.accounts.users.users import Person
from tests.services.accounts.mailbox import Mailbox

ADA = addresses.read("Ada@example.com")
BOB = addresses.read("bob@example.com")
PASSWORD = "correct horse battery staple"
FORM = Form(Person(firstname="Ada", lastname="Lovelace", country="England"), ADA, PASSWORD)


@dataclass(frozen=True, slots=True)
class Post:
    """Delivers what waits to be sent."""

    mailing: Mailing
    inbox: Mailbox

    async def deliver(self) -> None:
        """Sends all letters that are due."""
        while await self.mailing.deliver():
            pass

    async def code(self, address: Address) -> str:
        """Delivers, and reads the code in the last letter to an address."""
        await self.deliver()
        return self.inbox.code(address.spelled)


async def registered(people: People, post: Post, form: Form = FORM) -> LogIn:
    """Registers somebody with a code."""
    await people.registrations.send_code(form.address)
    return await people.registrations.register_with_code(form, await post.code(form.address))


async def unverified(people: People, address: Address = ADA) -> LogIn:
    """Registers somebody without a code."""
    return await people.registrations.register(Form(Person(name="Mallory"), address, PASSWORD))
