import asyncio
import hashlib
from types import MappingProxyType

import pytest
from structlog.testing import capture_logs

from services.accounts.credentials import sessions as sessions_module
from services.accounts.credentials.revocations import revoke
from services.accounts.credentials.sessions import RefreshToken, Session, Sessions, begin
from services.accounts.people.people import People
from services.accounts.users.users import User
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Refusal
from tests.conftest import Database
from tests.services.accounts.client import execute, pass_time, read
from tests.services.accounts.delivery import ADA, PASSWORD, unverified
from tests.services.conditions import until_blocked
from tests.services.events.client import refused

AT_ONCE = 6


@pytest.fixture
def sessions(people: People) -> Sessions:
    """Sessions without a server."""
    return people.sessions


@pytest.fixture
async def first(people: People) -> Session:
    """Begins a session."""
    return await unverified(people)


async def refresh(sessions: Sessions, session: Session) -> Session:
    """Refreshes a session."""
    return await sessions.refresh(str(session.refresh_token))


async def test_a_refresh_replaces_the_token(
    sessions: Sessions, first: Session, database: Database
) -> None:
    """A reader of the database could find a token."""
    second = await refresh(sessions, first)
    third = await refresh(sessions, second)
    assert len({str(session.refresh_token) for session in (first, second, third)}) == 3
    assert third.user == first.user
    [(row,)] = read(database, "SELECT sessions::text FROM sessions")
    for session in (first, second, third):
        assert session.refresh_token.secret.hex() not in row
    digest = hashlib.sha256(third.refresh_token.secret).hexdigest()
    assert digest in row


async def test_a_token_used_twice_ends_the_session(
    sessions: Sessions, first: Session, database: Database
) -> None:
    """A stolen token must not work beside its owner; the operator sees it in the log."""
    second = await refresh(sessions, first)
    third = await refresh(sessions, second)
    with capture_logs() as lines, refused("INVALID_TOKEN"):
        await refresh(sessions, first)
    [line] = lines
    assert (line["event"], line["account_id"]) == ("refresh token used twice", first.user.id)
    with refused("INVALID_TOKEN"):
        await refresh(sessions, third)
    assert read(database, "SELECT count(*) FROM sessions") == [(0,)]


async def test_a_lost_response_can_be_fetched_again(
    sessions: Sessions, first: Session, database: Database
) -> None:
    """A bad connection must not log a user out; after 10 seconds it counts as theft."""
    second = await refresh(sessions, first)
    again = await refresh(sessions, first)
    assert again.refresh_token == second.refresh_token
    pass_time(database, "10 seconds")
    with refused("INVALID_TOKEN"):
        await refresh(sessions, first)
    with refused("INVALID_TOKEN"):
        await refresh(sessions, second)


async def test_after_the_next_refresh_no_response_was_lost(
    sessions: Sessions, first: Session
) -> None:
    """A token from before must not work within the 10 seconds either."""
    second = await refresh(sessions, first)
    await refresh(sessions, second)
    with refused("INVALID_TOKEN"):
        await refresh(sessions, first)


async def tokens_of(sessions: Sessions, first: Session) -> list[str]:
    """Refreshes many times at once; returns the tokens."""
    password_login = await asyncio.gather(*(refresh(sessions, first) for _ in range(AT_ONCE)))
    return [str(session.refresh_token) for session in password_login]


async def test_concurrent_refreshes_get_the_same_token(
    sessions: Sessions, first: Session, database: Database
) -> None:
    """Two tabs of a browser must not log each other out."""
    [token] = set(await tokens_of(sessions, first))
    [(current,)] = read(database, "SELECT current_sha256 FROM sessions")
    assert current == RefreshToken.parse(token).sha256
    await sessions.refresh(token)


async def test_without_the_lock_they_would_get_several_tokens(
    sessions: Sessions, first: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: each would replace the same token by another one."""
    unlocked = sessions_module.SQL["lock_session"].replace(b"FOR UPDATE", b"")
    slowed = unlocked.replace(b"FROM sessions", b"FROM sessions, pg_sleep(0.2)")
    statements = MappingProxyType({**sessions_module.SQL, "lock_session": slowed})
    monkeypatch.setattr(sessions_module, "SQL", statements)
    assert len(set(await tokens_of(sessions, first))) > 1


@pytest.mark.parametrize("text", ["", "no token", "\u00fc" * 64, "A" * 63, "A" * 68, "A" * 64])
async def test_a_malformed_token_is_invalid(
    sessions: Sessions, first: Session, text: str, database: Database
) -> None:
    """It must not end a session either."""
    with refused("INVALID_TOKEN"):
        await sessions.refresh(text)
    await sessions.end(text)
    assert read(database, "SELECT count(*) FROM sessions") == [(1,)]


async def test_a_wrong_secret_logs_nobody_out(
    sessions: Sessions, first: Session, database: Database
) -> None:
    """Knowing the id of a session must not be enough to end it."""
    made_up = RefreshToken(first.refresh_token.session_id, bytes(32))
    await sessions.end(str(made_up))
    assert read(database, "SELECT count(*) FROM sessions") == [(1,)]


async def test_a_session_ends_after_thirty_days(
    sessions: Sessions, first: Session, database: Database
) -> None:
    """Refreshing must not keep a session alive for ever."""
    pass_time(database, "29 days 23 hours")
    second = await refresh(sessions, first)
    await sessions.forget()
    pass_time(database, "1 hour")
    with refused("INVALID_TOKEN"):
        await refresh(sessions, second)
    await sessions.forget()
    assert read(database, "SELECT count(*) FROM sessions") == [(0,)]


async def test_an_account_has_at_most_a_hundred_sessions(
    people: People, first: Session, database: Database
) -> None:
    """A client in a loop must not fill the table; the oldest sessions end."""
    second = await people.password_login.log_in(ADA, PASSWORD)
    execute(
        database,
        "INSERT INTO sessions (id, account_id, current_sha256, created_at, expires_at)"
        " SELECT gen_random_uuid(), account_id, current_sha256, now(), expires_at"
        " FROM sessions, generate_series(1, 98) WHERE id = %(id)s",
        id=second.refresh_token.session_id,
    )
    await people.password_login.log_in(ADA, PASSWORD)
    assert read(database, "SELECT count(*) FROM sessions") == [(100,)]
    await refresh(people.sessions, second)
    with refused("INVALID_TOKEN"):
        await refresh(people.sessions, first)


@pytest.mark.parametrize(
    "statement", ["banned_at = now()", "role = 'ORGANIZER', generation = 2, revoked_at = now()"]
)
async def test_a_refresh_reads_the_account_again(
    sessions: Sessions, first: Session, database: Database, statement: str
) -> None:
    """A ban or another role must not wait for the end of the session."""
    execute(database, f"UPDATE accounts SET {statement}")
    if "role" in statement:
        user = (await refresh(sessions, first)).user
        assert (user.role, user.generation) == ("ORGANIZER", 2)
    else:
        with refused("INVALID_TOKEN"):
            await refresh(sessions, first)


async def test_logging_out_everywhere_ends_all_sessions(
    people: People, first: Session, database: Database
) -> None:
    """One session or access token that goes on would be that of the thief."""
    second = await people.password_login.log_in(ADA, PASSWORD)
    await people.sessions.end_all(first.user.id)
    for session in (first, second):
        with refused("INVALID_TOKEN"):
            await refresh(people.sessions, session)
    [(generation, is_noted)] = read(
        database, "SELECT generation, revoked_at IS NOT NULL FROM accounts"
    )
    assert (generation, is_noted) == (2, True)


async def test_a_concurrent_log_in_is_ended_too(
    pool: Pool, people: People, first: Session, database: Database
) -> None:
    """A password that was checked before the change must not open a session after it."""
    async with pool.connection() as connection, connection.transaction():
        await revoke(connection, first.user.id)
        begun = asyncio.create_task(begun_by(pool, first.user))
        async with pool.connection() as watching:
            await until_blocked(watching, 1)
    assert await begun is None
    assert read(database, "SELECT count(*) FROM sessions") == [(1,)]


async def test_without_the_share_lock_the_session_would_begin(
    pool: Pool, first: Session, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: nothing would make the log-in wait."""
    unlocked = sessions_module.SQL["begin_session"].replace(b"FOR SHARE", b"")
    statements = MappingProxyType({**sessions_module.SQL, "begin_session": unlocked})
    monkeypatch.setattr(sessions_module, "SQL", statements)
    async with pool.connection() as connection, connection.transaction():
        await revoke(connection, first.user.id)
        assert await begun_by(pool, first.user) is not None
    assert read(database, "SELECT count(*) FROM sessions") == [(2,)]


async def begun_by(pool: Pool, user: User) -> Session | None:
    """Begins a session."""
    async with pool.connection() as connection, connection.transaction():
        return await begin(connection, user)


async def test_logging_in_while_logging_out_everywhere_leaves_no_token_of_before(
    people: People, first: Session, database: Database
) -> None:
    """In either order, a token of the former generation must not stay valid."""
    outcomes = await asyncio.gather(
        *(people.password_login.log_in(ADA, PASSWORD) for _ in range(3)),
        people.sessions.end_all(first.user.id),
        return_exceptions=True,
    )
    [(generation,)] = read(database, "SELECT generation FROM accounts")
    alive = {account for (account,) in read(database, "SELECT id FROM sessions")}
    for outcome in outcomes:
        if isinstance(outcome, Session) and outcome.refresh_token.session_id in alive:
            assert outcome.user.generation == generation
        elif isinstance(outcome, BaseException):
            assert isinstance(outcome, Refusal)
