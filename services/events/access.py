"""Rules of access: who may see an event, and who may change it."""

from dataclasses import dataclass
from typing import Protocol

from boxoffice.rest.v1 import rest_pb2
from services.events.errors import EventNotFound
from services.kit.auth.authentication import Caller
from services.kit.rpc.callers import denied
from services.kit.rpc.errors import PermissionDenied

VISIBLE = """(
        status <> 'DRAFT'
        OR %(changes_all)s
        OR CASE
            WHEN organizer_id IS NULL THEN %(changes_ownerless)s
            ELSE organizer_id = %(subject)s
        END
    )"""
"""`Viewer.may_see` in SQL, with `Viewer.values`."""


class Event(Protocol):
    """The fields of an event that decide who has access."""

    @property
    def organizer_id(self) -> str | None:
        """Account that owns it; None if nobody does."""

    @property
    def status(self) -> str:
        """DRAFT while only those who may change the event see it."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """A caller who sees events, and may change some of them.

    With `open_access` everybody may change an event that nobody owns.
    """

    caller: Caller
    open_access: bool

    @property
    def changes_all(self) -> bool:
        """Whether the viewer may change every event."""
        return self.caller.is_admin

    @property
    def organizer_id(self) -> str | None:
        """The viewer's account; None for an API key without the scope to change events."""
        may_write = self.caller.may_use(rest_pb2.SCOPE_EVENTS_WRITE)
        return self.caller.subject if may_write else None

    @property
    def changes_ownerless(self) -> bool:
        """Whether the viewer may change events that nobody owns."""
        return self.open_access or self.changes_all

    @property
    def values(self) -> dict[str, object]:
        """The parameters of VISIBLE."""
        return {
            "changes_all": self.changes_all,
            "changes_ownerless": self.changes_ownerless,
            "subject": self.organizer_id,
        }

    def expect_to_create(self) -> None:
        """Raises PermissionDenied for an account that may not create events.

        The access rule of the RPC decides about callers without an account.
        """
        if self.caller.subject is not None and not self.caller.is_organizer:
            raise PermissionDenied

    def may_change(self, event: Event) -> bool:
        """Returns whether the viewer may change the event."""
        if event.organizer_id is None:
            return self.changes_ownerless
        return self.changes_all or event.organizer_id == self.organizer_id

    def may_see(self, event: Event) -> bool:
        """Returns whether the viewer may see the event: a draft only if they may change it.

        Lists have the same rule in SQL, VISIBLE.
        """
        return event.status != "DRAFT" or self.may_change(event)

    def expect_to_change(self, event: Event) -> None:
        """Raises EventNotFound unless the viewer may see the event.

        Raises Unauthenticated or PermissionDenied unless the viewer may change it.
        """
        if not self.may_see(event):
            raise EventNotFound
        if not self.may_change(event):
            raise denied(self.caller)
