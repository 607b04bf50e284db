"""Builds the use cases of AccountsService over one database."""

from dataclasses import dataclass
from typing import Self

from services.accounts.credentials.codes import Codes
from services.accounts.credentials.passwords import Passwords
from services.accounts.credentials.sessions import Sessions
from services.accounts.people.email_changes import EmailChanges
from services.accounts.people.password_login import PasswordLogin
from services.accounts.people.password_resets import PasswordResets
from services.accounts.people.profiles import Profiles
from services.accounts.people.registrations import OrganizerSignUp, Registrations
from services.kit.database.postgres import Pool


@dataclass(frozen=True, slots=True)
class People:
    """The use cases of AccountsService."""

    registrations: Registrations
    password_login: PasswordLogin
    sessions: Sessions
    profiles: Profiles
    password_resets: PasswordResets
    email_changes: EmailChanges

    @classmethod
    def of(
        cls, pool: Pool, codes: Codes, passwords: Passwords, organizer_sign_up: OrganizerSignUp
    ) -> Self:
        """Builds them over one database."""
        password_login = PasswordLogin(pool, passwords)
        return cls(
            registrations=Registrations(pool, codes, passwords, organizer_sign_up),
            password_login=password_login,
            sessions=Sessions(pool),
            profiles=Profiles(pool),
            password_resets=PasswordResets(pool, codes, passwords),
            email_changes=EmailChanges(pool, codes, password_login),
        )
