import pytest

from boxoffice.rest.v1 import rest_pb2
from services.events.access import Viewer
from services.events.events import messages
from services.events.events.changes import Change, Changes
from services.events.events.events import Events, Filter
from services.events.events.results import CreatedEvent
from services.kit.auth.authentication import ANONYMOUS, SERVICE, Caller, Role
from services.kit.rpc import paging
from tests.services.events.client import DRAFT, PUBLISHED, Client, refused
from tests.services.events.conftest import Serve
from tests.services.issuer import ScriptedIssuer, account

ADA, BOB, CY = account("ada"), account("bob"), account("cy")
OWNER = Viewer(Caller(ADA, Role.ORGANIZER), open_access=False)
STRANGER = Viewer(Caller(BOB, Role.ORGANIZER), open_access=True)
NOBODY = Viewer(ANONYMOUS, open_access=True)
ADMIN = Viewer(Caller(CY, Role.ADMIN), open_access=False)
OTHER_SERVICE = Viewer(SERVICE, open_access=False)
KEY = Viewer(
    Caller(ADA, Role.ORGANIZER, frozenset({rest_pb2.SCOPE_EVENTS_WRITE})), open_access=False
)
KEY_WITHOUT_SCOPE = Viewer(
    Caller(ADA, Role.ORGANIZER, frozenset({rest_pb2.SCOPE_BOOKINGS_READ})), open_access=False
)
KEY_OF_ADMIN = Viewer(
    Caller(CY, Role.ADMIN, frozenset({rest_pb2.SCOPE_EVENTS_WRITE})), open_access=False
)
ALL = Filter(None, None, None)


async def make(events: Events, viewer: Viewer, status: str) -> int:
    """Creates an event for the viewer."""
    fields = {"name": "Jazz", "total_seats": 10, "status": status}
    created = await events.create(fields, viewer, None)
    assert isinstance(created, CreatedEvent)
    return created.event.id


async def sees(events: Events, viewer: Viewer) -> set[int]:
    """Lists the events that the viewer sees."""
    listing = await events.list(ALL, viewer, paging.parse(0, "", scope="all"))
    return {shown.event.id for shown in listing.events}


async def test_a_draft_exists_for_its_owner_alone(events: Events) -> None:
    """Others could see a draft in a list, in a search or by its id."""
    owned = await make(events, OWNER, "DRAFT")
    ownerless = await make(events, NOBODY, "DRAFT")
    public = await make(events, OWNER, "PUBLISHED")
    expected = {
        OWNER: {owned, public},
        STRANGER: {ownerless, public},
        NOBODY: {ownerless, public},
        OTHER_SERVICE: {owned, ownerless, public},
        ADMIN: {owned, ownerless, public},
        KEY: {owned, public},
        KEY_WITHOUT_SCOPE: {public},
        KEY_OF_ADMIN: {public},
    }
    for viewer, visible in expected.items():
        assert await sees(events, viewer) == visible
        for event_id in {owned, ownerless, public} - visible:
            with refused("EVENT_NOT_FOUND"):
                await events.get(event_id, viewer)


async def test_only_the_owner_changes_an_event(events: Events, changes: Changes) -> None:
    """Others could change an event, or learn that a draft exists."""
    published = await make(events, OWNER, "PUBLISHED")
    draft = await make(events, OWNER, "DRAFT")

    def renaming(event_id: int, viewer: Viewer) -> Change:
        return Change(event_id, {"name": "Rock"}, None, viewer, None)

    for viewer in (STRANGER, NOBODY, KEY_WITHOUT_SCOPE, KEY_OF_ADMIN):
        with refused("UNAUTHENTICATED" if viewer is NOBODY else "PERMISSION_DENIED"):
            await changes.update(renaming(published, viewer))
        with refused("EVENT_NOT_FOUND"):
            await changes.delete(renaming(draft, viewer))
    for viewer in (OWNER, OTHER_SERVICE, ADMIN, KEY):
        await changes.update(renaming(published, viewer))
    renamed = await events.get(published, NOBODY)
    assert (renamed.event.organizer_id, renamed.event.name) == (ADA, "Rock")


async def test_a_user_creates_no_events(client: Client, issuer: ScriptedIssuer) -> None:
    """An account that is no organizer could create events under open access."""
    client.metadata = issuer.bearer(ADA, Role.USER)
    with refused("PERMISSION_DENIED"):
        await client.create()
    for role in (Role.ORGANIZER, Role.ADMIN):
        client.metadata = issuer.bearer(BOB, role)
        assert (await client.create()).organizer_id == BOB


async def test_a_former_organizer_keeps_the_events(client: Client, issuer: ScriptedIssuer) -> None:
    """Events would be lost to an owner whose role changed."""
    client.metadata = issuer.bearer(ADA, Role.ORGANIZER)
    event = await client.create()
    client.metadata = issuer.bearer(ADA, Role.USER)
    assert (await client.update(event.id, name="Farewell")).name == "Farewell"


async def test_an_event_without_owner_is_for_open_access_and_admins(
    serve: Serve, issuer: ScriptedIssuer
) -> None:
    """An organizer could take over an event that nobody owns."""
    async with serve() as opened:
        event = await opened.create()
    async with serve(open_access=False) as closed:
        closed.metadata = issuer.bearer(ADA, Role.ORGANIZER)
        with refused("PERMISSION_DENIED"):
            await closed.update(event.id, name="Mine")
        closed.metadata = issuer.bearer(CY, Role.ADMIN)
        assert (await closed.update(event.id, name="Ours")).name == "Ours"


@pytest.mark.parametrize("open_access", [True, False])
async def test_organizers_list_their_own_events(
    serve: Serve, issuer: ScriptedIssuer, open_access: bool
) -> None:
    """An organizer would miss drafts, or see the events of others."""
    async with serve(open_access=open_access) as client:
        client.metadata = issuer.bearer(BOB, Role.ORGANIZER)
        theirs = await client.create()
        client.metadata = issuer.bearer(ADA, Role.ORGANIZER)
        made = [(await client.create(status=status)).id for status in (DRAFT, PUBLISHED, DRAFT)]
        first, second = (
            await client.list_own(page_size=2),
            await client.list_own(page_size=2, page=2),
        )
        assert [event.id for event in (*first.events, *second.events)] == made[::-1]
        assert (first.total, second.total) == (3, 3)
        assert [event.id for event in (await client.list_own(status=PUBLISHED)).events] == [made[1]]
        shown = {event.id for event in await client.list()}
        assert shown == {*made, theirs.id}
        of_both = [await client.list(organizer_id=who) for who in (ADA, BOB)]
        assert [len(found) for found in of_both] == [3, 1]


async def test_only_organizers_have_events_of_their_own(
    client: Client, issuer: ScriptedIssuer
) -> None:
    """A user, or an API key without the scope, could list events as an organizer."""
    with refused("UNAUTHENTICATED"):
        await client.list_own()
    client.metadata = issuer.bearer(ADA, Role.USER)
    with refused("PERMISSION_DENIED"):
        await client.list_own()
    for scope, name in ((rest_pb2.SCOPE_BOOKINGS_READ, "1"), (rest_pb2.SCOPE_EVENTS_WRITE, "2")):
        key = issuer.add_key(BOB, Role.ORGANIZER, scope, name=name)
        client.metadata = (("authorization", f"Bearer {key}"),)
        if scope == rest_pb2.SCOPE_EVENTS_WRITE:
            await client.create(status=DRAFT)
            assert (await client.list_own()).total == 1
            continue
        with refused("PERMISSION_DENIED"):
            await client.list_own()
        with refused("PERMISSION_DENIED"):
            await client.create()


async def test_a_key_of_another_account_replays_nothing(
    client: Client, issuer: ScriptedIssuer
) -> None:
    """An account would get the response of another one that used the same key."""
    made = []
    for who in (ADA, BOB):
        client.metadata = issuer.bearer(who, Role.ORGANIZER)
        made.append(await client.create(request_id="the-same"))
    assert [event.organizer_id for event in made] == [ADA, BOB]
    assert (await client.create(request_id="the-same")).id == made[1].id


async def test_bookings_learns_the_owner_of_an_event(events: Events) -> None:
    """Bookings would have to ask events who may read an event's bookings."""
    owned = await events.get_state(await make(events, OWNER, "PUBLISHED"))
    ownerless = await events.get_state(await make(events, NOBODY, "PUBLISHED"))
    assert messages.state(owned).organizer_id == ADA
    assert not messages.state(ownerless).HasField("organizer_id")
