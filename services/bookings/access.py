"""Access rules: who may book for whom, and who may see which booking.

A guest is a user without an account, whom a caller without a token names. The ids of accounts have
a prefix that no guest can use.
"""

import unicodedata
from dataclasses import dataclass

from services.kit.auth.authentication import Caller
from services.kit.rpc import context
from services.kit.rpc.callers import denied

ACCOUNT_PREFIX = "acct_"


@dataclass(frozen=True, slots=True)
class Viewer:
    """A caller who books and reads bookings.

    Under `open_access` everybody may book for guests and see their bookings by number and in lists.
    Access by reference does not depend on it.
    """

    caller: Caller
    open_access: bool

    @property
    def key_owner(self) -> str:
        """The owner of the caller's idempotency keys. All callers without a token share one."""
        return "service" if self.caller.is_service else self.caller.subject or ""

    @property
    def is_somebody(self) -> bool:
        """Whether the caller has a credential. Others cannot see the bookings of accounts."""
        return self.caller.is_service or self.caller.subject is not None

    def user(self, named: str = "") -> str:
        """Returns the user for whom the caller acts: the named one, else the caller.

        Raises the refusal of `denied` if the caller may not act for that user, or names nobody and
        has no account.
        """
        user_id = normalised(named) or self.caller.subject
        if user_id is None or not self._may_act_for(user_id):
            raise denied(self.caller)
        return user_id

    def rows(self, *, guests: bool | None = None) -> dict[str, object]:
        """Returns the parameters of the SQL function `is_visible`.

        `guests` is whether the caller sees the bookings of guests; the default is open access.
        """
        return {
            "viewer": self.caller.subject,
            "sees_guests": self.open_access if guests is None else guests,
            "sees_all": self.caller.acts_for_anyone,
        }

    def sees_by_reference(self, user_id: str, organizer_id: str | None) -> bool:
        """Returns whether the caller may see a booking whose reference they know.

        The reference of a guest's booking is a secret: everybody who knows it may see the booking.
        """
        return not is_account(user_id) or user_id == self.caller.subject or self.owns(organizer_id)

    def sees_by_number(self, user_id: str, organizer_id: str | None) -> bool:
        """Returns whether the caller may see a booking whose number they know, no secret."""
        if self.open_access and not is_account(user_id):
            return True
        return user_id == self.caller.subject or self.owns(organizer_id)

    def expect_to_list(self) -> None:
        """Raises the refusal of `denied` unless the caller may list the bookings of all users."""
        if not (self.open_access or self.caller.acts_for_anyone):
            raise denied(self.caller)

    def expect_to_list_user(self, user_id: str) -> None:
        """Raises the refusal of `denied` unless the caller may list the user's bookings."""
        is_seen = self.open_access and not is_account(user_id)
        if not (is_seen or self._may_act_for(user_id)):
            raise denied(self.caller)

    def expect_to_list_event(self, organizer_id: str | None) -> None:
        """Raises the refusal of `denied` unless the caller may list the event's bookings."""
        if not (self.open_access or self.owns(organizer_id)):
            raise denied(self.caller)

    def expect_to_change_event(self, organizer_id: str | None) -> None:
        """Raises the refusal of `denied` unless the caller may change the event.

        Under open access everybody may change an event without an owner.
        """
        is_ownerless = organizer_id is None and self.open_access
        if not (is_ownerless or self.organizes(organizer_id)):
            raise denied(self.caller)

    def organizes(self, organizer_id: str | None) -> bool:
        """Returns whether the caller made the event, or is an administrator."""
        is_own = organizer_id is not None and organizer_id == self.caller.subject
        return is_own or self.caller.is_admin

    def manages(self, user_id: str, organizer_id: str | None = None) -> bool:
        """Returns whether the caller acts for somebody else, as an organizer or an administrator.

        `organizer_id` is given where the organizer of the event may do so, too.
        """
        return user_id != self.caller.subject and self.organizes(organizer_id)

    def owns(self, organizer_id: str | None) -> bool:
        """Returns whether the caller owns the event, or may act for all users."""
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
    """Turns callers into viewers, with or without open access."""

    open_access: bool

    def of(self, caller: Caller) -> Viewer:
        """Returns the viewer of a caller."""
        return Viewer(caller, self.open_access)

    def current(self) -> Viewer:
        """Returns the viewer of the RPC under way."""
        return self.of(context.caller.get())


def is_account(user_id: str) -> bool:
    """Returns whether a user has an account, as the SQL function `is_account` does."""
    return user_id.startswith(ACCOUNT_PREFIX)


def normalised(user_id: str) -> str:
    """Normalises a user id (NFC), so that different spellings of one name are one user."""
    return unicodedata.normalize("NFC", user_id)
