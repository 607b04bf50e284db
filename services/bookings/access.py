"""Who may book for whom, and who sees which booking: the one place that says so.

A guest is a user without an account: whoever calls without a token names one. Accounts have ids of
a shape of their own, which no guest can use.
"""

import unicodedata
from dataclasses import dataclass

from services.kit.auth.authentication import Caller
from services.kit.rpc import context
from services.kit.rpc.callers import denied

ACCOUNT_PREFIX = "acct_"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who books, and looks at bookings.

    With `open_access` the bookings of guests are everybody's to see, but for their references.
    """

    caller: Caller
    open_access: bool

    @property
    def key_owner(self) -> str:
        """Whose idempotency keys theirs are: all who have no token share one range."""
        return "service" if self.caller.is_service else self.caller.subject or ""

    @property
    def is_somebody(self) -> bool:
        """Whether they showed a credential. Only then they know where an account books."""
        return self.caller.is_service or self.caller.subject is not None

    def user(self, named: str = "") -> str:
        """Returns the user they act for: themselves, unless they name one.

        Raises what `denied` makes if they may not act for that user, or if there is none.
        """
        user_id = normalised(named) or self.caller.subject
        if user_id is None or not self._may_act_for(user_id):
            raise denied(self.caller)
        return user_id

    def rows(self, *, guests: bool | None = None) -> dict[str, object]:
        """Gives what the SQL function `is_visible` asks of a viewer.

        `guests` says whether bookings of guests are seen, otherwise a matter of open access.
        """
        return {
            "viewer": self.caller.subject,
            "sees_guests": self.open_access if guests is None else guests,
            "sees_all": self.caller.acts_for_anyone,
        }

    def sees_by_reference(self, user_id: str, organizer_id: str | None) -> bool:
        """Returns whether they may see a booking of which they know the reference.

        That of a guest is a secret: whoever knows it may see the booking.
        """
        return not is_account(user_id) or user_id == self.caller.subject or self.owns(organizer_id)

    def expect_to_list(self) -> None:
        """Raises what `denied` makes unless they may list bookings of all users, as far as seen."""
        if not (self.open_access or self.caller.acts_for_anyone):
            raise denied(self.caller)

    def expect_to_list_user(self, user_id: str) -> None:
        """Raises what `denied` makes unless they may list a user's bookings."""
        is_seen = self.open_access and not is_account(user_id)
        if not (is_seen or self._may_act_for(user_id)):
            raise denied(self.caller)

    def expect_to_list_event(self, organizer_id: str | None) -> None:
        """Raises what `denied` makes unless they may list an event's bookings, as far as seen."""
        if not (self.open_access or self.owns(organizer_id)):
            raise denied(self.caller)

    def owns(self, organizer_id: str | None) -> bool:
        """Tells whether an event is theirs."""
        if self.caller.acts_for_anyone:
            return True
        return organizer_id is not None and organizer_id == self.caller.subject

    def _may_act_for(self, user_id: str) -> bool:
        if self.caller.acts_for_anyone:
            return True
        if self.caller.subject is None:
            return self.open_access and not is_account(user_id)
        return user_id == self.caller.subject


@dataclass(frozen=True, slots=True)
class Viewers:
    """Makes callers viewers, with or without open access."""

    open_access: bool

    def of(self, caller: Caller) -> Viewer:
        """Returns the viewer that a caller is."""
        return Viewer(caller, self.open_access)

    def current(self) -> Viewer:
        """Returns the viewer who made the RPC under way."""
        return self.of(context.caller.get())


def is_account(user_id: str) -> bool:
    """Tells whether a user has an account; the SQL function `is_account` says the same."""
    return user_id.startswith(ACCOUNT_PREFIX)


def normalised(user_id: str) -> str:
    """Normalises the spelling of a user id (NFC), so that what looks the same is the same."""
    return unicodedata.normalize("NFC", user_id)
