import re

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from boxoffice.accounts.v1 import accounts_pb2, identity_pb2
from tests.conftest import Database
from tests.services.accounts.client import pass_time, read
from tests.services.accounts.user_client import ADA, PASSWORD, UserClient
from tests.services.events.client import refused


async def test_a_session_is_all_that_a_client_needs(user_client: UserClient) -> None:
    """Tokens, for how long, and who is logged in; the token works at once."""
    user = await user_client.register(role=identity_pb2.ROLE_ORGANIZER, country="England")
    session = user_client.session
    assert (session.token_type, session.expires_in) == ("Bearer", 900)
    assert re.fullmatch("[A-Za-z0-9_-]{64}", session.refresh_token)
    assert re.fullmatch("acct_[a-z2-7]{26}", user.id)
    assert (user.name, user.firstname, user.lastname) == ("Ada Lovelace", "Ada", "Lovelace")
    assert (user.email, user.role, user.email_verified) == (ADA, identity_pb2.ROLE_ORGANIZER, True)
    profile = (await user_client.call("GetMe")).profile
    assert (profile.id, profile.country) == (user.id, "England")


async def test_a_code_is_answered_alike_for_every_address(user_client: UserClient) -> None:
    """Known or not, to register or to reset."""
    await user_client.register()
    answers = [
        await user_client.call("SendCode", email="nobody@example.com", type="register"),
        await user_client.call("ForgotPassword", email="noone@example.com"),
    ]
    told = {(answer.expires_in_seconds, answer.resend_after_seconds) for answer in answers}
    for rpc, fields in (("SendCode", {"type": "register"}), ("ForgotPassword", {})):
        with refused("RATE_LIMITED") as refusal:
            await user_client.call(rpc, email=ADA, **fields)
        assert 1 <= int(refusal.metadata["retry_after_seconds"]) <= 60
        with refused("RATE_LIMITED"):
            await user_client.call(rpc, email="nobody@example.com", **fields)
    assert told == {(600, 60)}


async def test_a_short_registration_needs_no_code(user_client: UserClient) -> None:
    """One name, no role, and an address that nobody vouched for."""
    await user_client.call("Register", name="Grace Hopper", email=ADA, password=PASSWORD)
    user = user_client.session.user
    assert (user.name, user.email_verified) == ("Grace Hopper", False)
    assert not user.HasField("firstname")
    assert not user.HasField("lastname")
    with refused("EMAIL_TAKEN"):
        await user_client.call("Register", name="Grace", email=ADA.upper(), password=PASSWORD)


async def test_logging_in_and_out(user_client: UserClient) -> None:
    """A log-in that ended is not continued; ending one twice, or none at all, is no mistake."""
    user = await user_client.register()
    await user_client.call("Login", email=ADA.title(), password=PASSWORD)
    assert user_client.session.user == user
    refresh_token = user_client.session.refresh_token
    for token in (refresh_token, refresh_token, "no token"):
        await user_client.call("Logout", refresh_token=token)
    with refused("INVALID_TOKEN"):
        await user_client.call("RefreshSession", refresh_token=refresh_token)


async def test_refreshing_gives_a_new_session(user_client: UserClient) -> None:
    """For the same user, with tokens that work."""
    user = await user_client.register()
    before = user_client.session
    await user_client.call("RefreshSession", refresh_token=before.refresh_token)
    assert user_client.session.user == user
    assert user_client.session.refresh_token != before.refresh_token
    assert (await user_client.call("GetMe")).profile.id == user.id


async def test_a_profile_is_changed_by_its_fields(user_client: UserClient) -> None:
    """What is not named stays; what is cleared is gone; the name follows the others."""
    await user_client.register(country="England")
    profile = accounts_pb2.Profile(lastname="Byron")
    mask = FieldMask(paths=["lastname", "country"])
    changed = (await user_client.call("UpdateMe", profile=profile, update_mask=mask)).profile
    assert (changed.name, changed.firstname, changed.lastname) == ("Ada Byron", "Ada", "Byron")
    assert not changed.HasField("country")


async def test_leaving_ends_everything(user_client: UserClient, database: Database) -> None:
    """What is left is the id; the address is free for a new account."""
    user = await user_client.register()
    await user_client.call("DeleteMe")
    refresh_token = user_client.session.refresh_token
    for rpc, fields in (("GetMe", {}), ("RefreshSession", {"refresh_token": refresh_token})):
        with refused("INVALID_TOKEN"):
            await user_client.call(rpc, **fields)
    with refused("INVALID_CREDENTIALS"):
        await user_client.call("Login", email=ADA, password=PASSWORD)
    [(id_, email, names)] = read(
        database, "SELECT id, email, name || firstname || lastname FROM accounts"
    )
    assert (id_, email, names) == (user.id, None, "")
    user_client.session.Clear()
    await user_client.call("Register", name="Ada", email=ADA, password=PASSWORD)
    assert user_client.session.user.id != user.id


async def test_a_forgotten_password_is_replaced(
    user_client: UserClient, database: Database
) -> None:
    """By a code; whoever was logged in is so no more, and the owner is told."""
    user = await user_client.register()
    before = user_client.session.refresh_token
    pass_time(database, "1 minute")
    user_client.session.Clear()
    await user_client.call("ForgotPassword", email=ADA)
    code = await user_client.code(ADA, emails=2)
    await user_client.call("ResetPassword", email=ADA, code=code, new_password="a new one, longer")
    assert user_client.session.user == user
    with refused("INVALID_CREDENTIALS"):
        await user_client.call("Login", email=ADA, password=PASSWORD)
    await user_client.call("Login", email=ADA, password="a new one, longer")
    with refused("INVALID_TOKEN"):
        await user_client.call("RefreshSession", refresh_token=before)
    with refused("INVALID_CODE"):
        await user_client.call("ResetPassword", email=ADA, code=code, new_password="and another")


async def test_a_common_password_takes_no_try_of_a_code(
    user_client: UserClient, database: Database
) -> None:
    """Whoever is told to choose another one still has the code that was mailed."""
    await user_client.call("SendCode", email=ADA, type="register")
    form = {"email": ADA, "email_verification_code": await user_client.code(ADA)}
    form |= {"firstname": "Ada", "lastname": "Lovelace"}
    for _ in range(6):
        with refused("VALIDATION_ERROR") as refusal:
            await user_client.call("RegisterWithCode", **form, password="Password1")
        assert refusal.paths == ["password"]
    await user_client.call("RegisterWithCode", **form, password=PASSWORD)
    pass_time(database, "1 minute")
    await user_client.call("ForgotPassword", email=ADA)
    reset = {"email": ADA, "code": await user_client.code(ADA, emails=2)}
    for _ in range(6):
        with refused("VALIDATION_ERROR") as refusal:
            await user_client.call("ResetPassword", **reset, new_password="12345678")
        assert refusal.paths == ["new_password"]
    await user_client.call("ResetPassword", **reset, new_password="a new one, longer")


async def test_an_address_is_changed_in_two_steps(user_client: UserClient) -> None:
    """With the password a code goes to the new one; the code changes it."""
    await user_client.register()
    new = "lovelace@example.com"
    asked = await user_client.call("ChangeEmail", email=new, password=PASSWORD)
    assert (asked.email, asked.changed, asked.expires_in_seconds) == (ADA, False, 600)
    changed = await user_client.call("ChangeEmail", email=new, code=await user_client.code(new))
    assert (changed.email, changed.changed) == (new, True)
    assert not changed.HasField("expires_in_seconds")
    await user_client.call("Login", email=new, password=PASSWORD)


async def test_an_address_of_somebody_else_is_not_taken_over(user_client: UserClient) -> None:
    """Its owner learns of it, and nobody else: without their code there is nothing to see."""
    other = "other@example.com"
    await user_client.call("Register", name="Other", email=other, password=PASSWORD)
    await user_client.call("Register", name="Ada", email=ADA, password=PASSWORD)
    await user_client.call("ChangeEmail", email=other, password=PASSWORD)
    with refused("INVALID_CODE"):
        await user_client.call("ChangeEmail", email=other, code="000000")
    with refused("EMAIL_TAKEN"):
        await user_client.call("ChangeEmail", email=other, code=await user_client.code(other))
    with refused("INVALID_CREDENTIALS"):
        await user_client.call("ChangeEmail", email="new@example.com", password="wrong")


@pytest.mark.parametrize(
    ("fields", "path"),
    [({}, "password"), ({"code": "12345"}, "code"), ({"email": "ada"}, "email")],
)
async def test_an_address_is_not_changed_by_less(
    user_client: UserClient, fields: dict[str, str], path: str
) -> None:
    """A password or a code, and an address."""
    await user_client.call("Register", name="Ada", email=ADA, password=PASSWORD)
    with refused("VALIDATION_ERROR") as refusal:
        await user_client.call("ChangeEmail", **{"email": "new@example.com"} | fields)
    assert refusal.paths == [path]


@pytest.mark.parametrize("rpc", ["GetMe", "UpdateMe", "DeleteMe", "LogoutAll", "ChangeEmail"])
async def test_ones_own_account_needs_a_token(user_client: UserClient, rpc: str) -> None:
    """Nobody has none of their own."""
    with refused("UNAUTHENTICATED"):
        await user_client.call(rpc)


@pytest.mark.parametrize(
    ("email", "is_one"),
    [
        ("a.b+c@example.com", True),
        ("a@xn--mnchen-3ya.de", True),
        ("a@example", False),
        ("a@b@example.com", False),
        ("\u0430da@example.com", False),
        ("ada@ex\u00adample.com", False),
        ("ada@example.com\n", False),
        ("ada\u200b@example.com", False),
        (f"{'a' * 65}@example.com", False),
        (f"a@{'a.' * 126}com", False),
    ],
)
async def test_addresses_are_such_as_no_two_look_alike(
    user_client: UserClient, email: str, is_one: bool
) -> None:
    """ASCII, well-formed, of a bounded length."""
    if is_one:
        await user_client.call("Register", name="Ada", email=email, password=PASSWORD)
        assert user_client.session.user.email == email
    else:
        with refused("VALIDATION_ERROR") as refusal:
            await user_client.call("Register", name="Ada", email=email, password=PASSWORD)
        assert refusal.paths == ["email"]


@pytest.mark.parametrize(
    ("password", "is_one"),
    [
        ("1234567", False),
        ("12345678", False),
        ("8765432a", True),
        ("p\u00e4ssw\u00f6rt \u0000\U0001f511", True),
        ("x" * 128, True),
        ("x" * 129, False),
    ],
)
async def test_a_password_has_8_to_128_characters(
    user_client: UserClient, password: str, is_one: bool
) -> None:
    """Of any kind, but for the most common ones."""
    if is_one:
        await user_client.call("Register", name="Ada", email=ADA, password=password)
        await user_client.call("Login", email=ADA, password=password)
    else:
        with refused("VALIDATION_ERROR") as refusal:
            await user_client.call("Register", name="Ada", email=ADA, password=password)
        assert refusal.paths == ["password"]
