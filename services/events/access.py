"""Who may see an event, and who may change it: the one place that says so."""

from dataclasses import dataclass

from boxoffice.rest.v1 import rest_pb2
from services.events.errors import EventNotFound
from services.events.events.revisions import Event
from services.kit.auth.authentication import Caller
from services.kit.rpc.callers import denied
from services.kit.rpc.errors import PermissionDenied


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who looks at events, and may change some of them.

    With `open_access` an event that nobody owns is everybody's.
    """

    caller: Caller
    open_access: bool

    @property
    def changes_all(self) -> bool:
        """Whether every event is theirs to change."""
        return self.caller.is_admin

    @property
    def organizer_id(self) -> str | None:
        """Account whose events are theirs; an API key has it only with the scope for them."""
        may_write = self.caller.may_use(rest_pb2.SCOPE_EVENTS_WRITE)
        return self.caller.subject if may_write else None

    @property
    def changes_ownerless(self) -> bool:
        """Whether the events that nobody owns are theirs to change."""
        return self.open_access or self.changes_all

    def expect_to_create(self) -> None:
        """Raises PermissionDenied unless they may make events; nobody's are a matter of access."""
        if self.caller.subject is not None and not self.caller.is_organizer:
            raise PermissionDenied

    def may_change(self, event: Event) -> bool:
        """Tells whether the event is theirs to change."""
        if event.organizer_id is None:
            return self.changes_ownerless
        return self.changes_all or event.organizer_id == self.organizer_id

    def may_see(self, event: Event) -> bool:
        """Tells whether the event exists for them: a draft does for those who may change it.

        `list_events` and `count_events` say the same in SQL.
        """
        return event.status != "DRAFT" or self.may_change(event)

    def expect_to_change(self, event: Event) -> None:
        """Raises EventNotFound if they may not see it, what `denied` makes if it is not theirs."""
        if not self.may_see(event):
            raise EventNotFound
        if not self.may_change(event):
            raise denied(self.caller)
