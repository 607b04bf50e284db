import pytest

from boxoffice.rest.v1 import rest_pb2
from services.bookings.access import Viewer, is_account
from services.kit.auth.authentication import ANONYMOUS, SERVICE, Caller, Role
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import PermissionDenied, Unauthenticated

ADA = Caller("acct_ada", Role.USER)
ADMIN = Caller("acct_admin", Role.ADMIN)
ADMINS_KEY = Caller("acct_admin", Role.ADMIN, {rest_pb2.SCOPE_BOOKINGS_WRITE})
ANY_USER = Caller("acct_admin", Role.ADMIN, {rest_pb2.SCOPE_BOOKINGS_ANY_USER})

ACTS_FOR = {
    "nobody": (ANONYMOUS, {"guest"}),
    "a user": (ADA, {"", "acct_ada"}),
    "an organizer": (Caller("acct_ada", Role.ORGANIZER), {"", "acct_ada"}),
    "an admin": (ADMIN, {"", "guest", "acct_ada", "acct_admin"}),
    "an admin's key": (ADMINS_KEY, {"", "acct_admin"}),
    "a key for any user": (ANY_USER, {"", "guest", "acct_ada", "acct_admin"}),
    "a service": (SERVICE, {"guest", "acct_ada", "acct_admin"}),
}


@pytest.mark.parametrize(("caller", "users"), ACTS_FOR.values(), ids=ACTS_FOR)
def test_one_books_for_oneself(caller: Caller, users: set[str]) -> None:
    """A token would book for another account, or a guest for an account."""
    viewer = Viewer(caller, open_access=True)
    for named in ("", "guest", "acct_ada", "acct_admin"):
        if named in users:
            assert viewer.user(named) == (named or caller.subject)
        else:
            with pytest.raises(Unauthenticated if caller is ANONYMOUS else PermissionDenied):
                viewer.user(named)


@pytest.mark.parametrize("open_access", [True, False])
def test_a_users_list_is_theirs(open_access: bool) -> None:
    """A user could list the bookings of another account."""
    listed = {
        "acct_ada": {ADA, ADMIN, SERVICE},
        "guest": {ADMIN, SERVICE} | ({ADA, ANONYMOUS} if open_access else set()),
    }
    for user_id, callers in listed.items():
        for caller in (ADA, ADMIN, SERVICE, ANONYMOUS):
            viewer = Viewer(caller, open_access=open_access)
            if caller in callers:
                viewer.expect_to_list_user(user_id)
            else:
                with pytest.raises(Unauthenticated if caller is ANONYMOUS else PermissionDenied):
                    viewer.expect_to_list_user(user_id)


def test_keys_are_told_apart_by_caller() -> None:
    """Idempotency keys of two accounts would collide, or an account use those of the services."""
    owners = [Viewer(each, open_access=True).key_owner for each in (ANONYMOUS, ADA, SERVICE)]
    assert owners == ["", "acct_ada", "service"]


@pytest.mark.parametrize("user_id", ["acct_", "acct_ada", "acct-ada", "Acct_ada", "", "xacct_"])
async def test_python_and_sql_agree_on_who_has_an_account(pool: Pool, user_id: str) -> None:
    """A user would count as an account in Python and as a guest in SQL."""
    async with pool.connection() as connection:
        row = await (await connection.execute("SELECT is_account(%s)", [user_id])).fetchone()
    assert row == (is_account(user_id),)
