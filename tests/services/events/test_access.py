from services.events import messages
from services.events.access import Viewer
from services.events.answers import Shown
from services.events.changes import Change, Changes
from services.events.events import Events, Filter
from services.kit import paging
from services.kit.authentication import ANONYMOUS, SERVICE, Caller
from tests.services.events.client import refused

OWNER = Viewer(Caller("acct_owner"), open_access=False)
STRANGER = Viewer(Caller("acct_stranger"), open_access=True)
NOBODY = Viewer(ANONYMOUS, open_access=True)
OTHER_SERVICE = Viewer(SERVICE, open_access=False)
ALL = Filter(None, None, None)


async def make(events: Events, viewer: Viewer, status: str) -> int:
    """Creates an event for the viewer."""
    fields = {"name": "Jazz", "total_seats": 10, "status": status}
    created = await events.create(fields, viewer, None)
    assert isinstance(created, Shown)
    return created.event.id


async def sees(events: Events, viewer: Viewer) -> set[int]:
    """Lists what the viewer sees."""
    listing = await events.list(ALL, viewer, paging.parse(0, "", scope="all"))
    return {shown.event.id for shown in listing.events}


async def test_a_draft_exists_for_its_owner_alone(events: Events) -> None:
    """Lists and single events agree on who sees what; open access opens no owned draft."""
    owned = await make(events, OWNER, "DRAFT")
    ownerless = await make(events, NOBODY, "DRAFT")
    public = await make(events, OWNER, "PUBLISHED")
    expected = {
        OWNER: {owned, public},
        STRANGER: {ownerless, public},
        NOBODY: {ownerless, public},
        OTHER_SERVICE: {owned, ownerless, public},
    }
    for viewer, visible in expected.items():
        assert await sees(events, viewer) == visible
        for event_id in {owned, ownerless, public} - visible:
            with refused("EVENT_NOT_FOUND"):
                await events.get(event_id, viewer)


async def test_only_the_owner_changes_an_event(events: Events, changes: Changes) -> None:
    """What another may see is denied, what it may not see does not exist."""
    published = await make(events, OWNER, "PUBLISHED")
    draft = await make(events, OWNER, "DRAFT")

    def renaming(event_id: int, viewer: Viewer) -> Change:
        return Change(event_id, {"name": "Rock"}, None, viewer, None)

    for viewer in (STRANGER, NOBODY):
        with refused("PERMISSION_DENIED"):
            await changes.update(renaming(published, viewer))
        with refused("EVENT_NOT_FOUND"):
            await changes.delete(renaming(draft, viewer))
    for viewer in (OWNER, OTHER_SERVICE):
        await changes.update(renaming(published, viewer))
    renamed = await events.get(published, NOBODY)
    assert (renamed.event.organizer_id, renamed.event.name) == ("acct_owner", "Rock")


async def test_bookings_hears_whose_event_it_is(events: Events) -> None:
    """Organizers may read who booked, and bookings decides that without asking."""
    owned = await events.get_state(await make(events, OWNER, "PUBLISHED"))
    ownerless = await events.get_state(await make(events, NOBODY, "PUBLISHED"))
    assert messages.state(owned).organizer_id == "acct_owner"
    assert not messages.state(ownerless).HasField("organizer_id")
