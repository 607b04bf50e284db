"""All that people do with their accounts, put together."""

from dataclasses import dataclass
from typing import Self

from services.accounts.codes import Codes
from services.accounts.email_changes import EmailChanges
from services.accounts.logins import LogIns
from services.accounts.password_resets import PasswordResets
from services.accounts.passwords import Passwords
from services.accounts.profiles import Profiles
from services.accounts.registrations import OrganizerSignUp, Registrations
from services.accounts.sessions import Sessions
from services.kit.postgres import Pool


@dataclass(frozen=True, slots=True)
class People:
    """The nouns behind AccountsService."""

    registrations: Registrations
    log_ins: LogIns
    sessions: Sessions
    profiles: Profiles
    password_resets: PasswordResets
    email_changes: EmailChanges

    @classmethod
    def of(
        cls, pool: Pool, codes: Codes, passwords: Passwords, organizer_sign_up: OrganizerSignUp
    ) -> Self:
        """Puts them together over one database."""
        log_ins = LogIns(pool, passwords)
        return cls(
            registrations=Registrations(pool, codes, passwords, organizer_sign_up),
            log_ins=log_ins,
            sessions=Sessions(pool),
            profiles=Profiles(pool),
            password_resets=PasswordResets(pool, codes, passwords),
            email_changes=EmailChanges(pool, codes, log_ins),
        )
