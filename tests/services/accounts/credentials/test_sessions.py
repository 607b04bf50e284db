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
    """Gives the noun without a server around it."""
    return people.sessions


@pytest.fixture
async def first(people: People) -> Session:
    """Logs somebody in."""
    return await unverified(people)


async def refresh(sessions: Sessions, session: Session) -> Session:
    """Replaces the token of a log-in."""
    return await sessions.refresh(str(session.refresh_token))


async def test_a_token_is_replaced_by_another(
    sessions: Sessions, first: Session, database: Database
) -> None:
    """Of the same log-in, for the same user; neither is stored."""
    second = await refresh(sessions, first)
    third = await refresh(sessions, second)
    assert len({str(session.refresh_token) for session in (first, second, third)}) == 3
    assert third.user == first.user
    [(row,)] = read(database, "SELECT sessions::text FROM sessions")
    for session in (first, second, third):
        assert session.refresh_token.secret.hex() not in row
    digest = hashlib.sha256(third.refresh_token.secret).hexdigest()
    assert digest in row


async def test_a_token_that_was_replaced_ends_the_log_in(
    sessions: Sessions, first: Session, database: Database
) -> None:
    """It is in two hands, nobody can tell whose the other one is, and the operator hears of it."""
    second = await refresh(sessions, first)
    third = await refresh(sessions, second)
    with capture_logs() as lines, refused("INVALID_TOKEN"):
        await refresh(sessions, first)
    [line] = lines
    assert (line["event"], line["account_id"]) == ("refresh token used twice", first.user.id)
    with refused("INVALID_TOKEN"):
        await refresh(sessions, third)
    assert read(database, "SELECT count(*) FROM sessions") == [(0,)]


async def test_who_lost_the_answer_gets_it_again(
    sessions: Sessions, first: Session, database: Database
) -> None:
    """For 10 seconds, and always the same token; afterwards it counts as stolen."""
    second = await refresh(sessions, first)
    again = await refresh(sessions, first)
    assert again.refresh_token == second.refresh_token
    pass_time(database, "10 seconds")
    with refused("INVALID_TOKEN"):
        await refresh(sessions, first)
    with refused("INVALID_TOKEN"):
        await refresh(sessions, second)


async def test_once_the_answer_was_used_nothing_was_lost(
    sessions: Sessions, first: Session
) -> None:
    """Not even within the 10 seconds."""
    second = await refresh(sessions, first)
    await refresh(sessions, second)
    with refused("INVALID_TOKEN"):
        await refresh(sessions, first)


async def tokens_of(sessions: Sessions, first: Session) -> list[str]:
    """Refreshes many times at once; gives the tokens."""
    password_login = await asyncio.gather(*(refresh(sessions, first) for _ in range(AT_ONCE)))
    return [str(session.refresh_token) for session in password_login]


async def test_who_refresh_at_once_get_the_same_token(
    sessions: Sessions, first: Session, database: Database
) -> None:
    """So the log-in never forks: there is one token that is good, and all have it."""
    [token] = set(await tokens_of(sessions, first))
    [(current,)] = read(database, "SELECT current_sha256 FROM sessions")
    assert current == RefreshToken.parse(token).sha256
    await sessions.refresh(token)


async def test_without_the_lock_they_would_get_several(
    sessions: Sessions, first: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: each would replace the same token by another."""
    unlocked = sessions_module.SQL["lock_session"].replace(b"FOR UPDATE", b"")
    slowed = unlocked.replace(b"FROM sessions", b"FROM sessions, pg_sleep(0.2)")
    statements = MappingProxyType({**sessions_module.SQL, "lock_session": slowed})
    monkeypatch.setattr(sessions_module, "SQL", statements)
    assert len(set(await tokens_of(sessions, first))) > 1


@pytest.mark.parametrize("text", ["", "no token", "\u00fc" * 64, "A" * 63, "A" * 68, "A" * 64])
async def test_what_was_never_a_token_is_none(
    sessions: Sessions, first: Session, text: str, database: Database
) -> None:
    """Nor does it end anything."""
    with refused("INVALID_TOKEN"):
        await sessions.refresh(text)
    await sessions.end(text)
    assert read(database, "SELECT count(*) FROM sessions") == [(1,)]


async def test_a_made_up_secret_ends_nothing_by_logging_out(
    sessions: Sessions, first: Session, database: Database
) -> None:
    """Whoever knows the id of a log-in does not have it."""
    made_up = RefreshToken(first.refresh_token.session_id, bytes(32))
    await sessions.end(str(made_up))
    assert read(database, "SELECT count(*) FROM sessions") == [(1,)]


async def test_a_log_in_lasts_for_thirty_days(
    sessions: Sessions, first: Session, database: Database
) -> None:
    """However often it is refreshed; then it is forgotten."""
    pass_time(database, "29 days 23 hours")
    second = await refresh(sessions, first)
    await sessions.forget()
    pass_time(database, "1 hour")
    with refused("INVALID_TOKEN"):
        await refresh(sessions, second)
    await sessions.forget()
    assert read(database, "SELECT count(*) FROM sessions") == [(0,)]


async def test_an_account_has_a_hundred_log_ins(
    people: People, first: Session, database: Database
) -> None:
    """Whoever logs in for ever fills no table; the oldest end first."""
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
async def test_a_refresh_sees_the_account_as_it_is(
    sessions: Sessions, first: Session, database: Database, statement: str
) -> None:
    """A ban ends it, a role is taken over."""
    execute(database, f"UPDATE accounts SET {statement}")
    if "role" in statement:
        user = (await refresh(sessions, first)).user
        assert (user.role, user.generation) == ("ORGANIZER", 2)
    else:
        with refused("INVALID_TOKEN"):
            await refresh(sessions, first)


async def test_logging_out_everywhere_ends_all(
    people: People, first: Session, database: Database
) -> None:
    """And begins another generation of access tokens."""
    second = await people.password_login.log_in(ADA, PASSWORD)
    await people.sessions.end_all(first.user.id)
    for session in (first, second):
        with refused("INVALID_TOKEN"):
            await refresh(people.sessions, session)
    [(generation, is_noted)] = read(
        database, "SELECT generation, revoked_at IS NOT NULL FROM accounts"
    )
    assert (generation, is_noted) == (2, True)


async def test_who_logs_in_meanwhile_is_logged_out_too(
    pool: Pool, people: People, first: Session, database: Database
) -> None:
    """Whoever checked the password before the account changed waits, and finds it changed."""
    async with pool.connection() as connection, connection.transaction():
        await revoke(connection, first.user.id)
        begun = asyncio.create_task(begun_by(pool, first.user))
        async with pool.connection() as watching:
            await until_blocked(watching, 1)
    assert await begun is None
    assert read(database, "SELECT count(*) FROM sessions") == [(1,)]


async def test_without_the_share_lock_it_would_begin(
    pool: Pool, first: Session, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: nothing would make it wait."""
    unlocked = sessions_module.SQL["begin_session"].replace(b"FOR SHARE", b"")
    statements = MappingProxyType({**sessions_module.SQL, "begin_session": unlocked})
    monkeypatch.setattr(sessions_module, "SQL", statements)
    async with pool.connection() as connection, connection.transaction():
        await revoke(connection, first.user.id)
        assert await begun_by(pool, first.user) is not None
    assert read(database, "SELECT count(*) FROM sessions") == [(2,)]


async def begun_by(pool: Pool, user: User) -> Session | None:
    """Begins a log-in."""
    async with pool.connection() as connection, connection.transaction():
        return await begin(connection, user)


async def test_logging_in_while_logging_out_everywhere_leaves_no_token_of_before(
    people: People, first: Session, database: Database
) -> None:
    """In whichever order they come."""
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
