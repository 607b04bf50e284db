import re

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from boxoffice.accounts.v1 import accounts_pb2, identity_pb2
from tests.conftest import Database
from tests.services.accounts.client import pass_time, read
from tests.services.accounts.user_client import ADA, PASSWORD, UserClient
from tests.services.events.client import refused


async def test_a_session_has_tokens_and_user(user_client: UserClient) -> None:
    """A client must be able to call and to refresh with it at once."""
    user = await user_client.register(role=identity_pb2.ROLE_ORGANIZER, country="England")
    session = user_client.session
    assert (session.token_type, session.expires_in) == ("Bearer", 900)
    assert re.fullmatch("[A-Za-z0-9_-]{64}", session.refresh_token)
    assert re.fullmatch("acct_[a-z2-7]{26}", user.id)
    assert (user.name, user.firstname, user.lastname) == ("Ada Lovelace", "Ada", "Lovelace")
    assert (user.email, user.role, user.email_verified) == (ADA, identity_pb2.ROLE_ORGANIZER, True)
    profile = (await user_client.call("GetMe")).profile
    assert (profile.id, profile.country) == (user.id, "England")


async def test_a_code_request_has_the_same_response_for_every_address(
    user_client: UserClient,
) -> None:
    """The response must not reveal who has an account."""
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


async def test_register_needs_no_code(user_client: UserClient) -> None:
    """The documented short registration must leave the address unverified."""
    await user_client.call("Register", name="Grace Hopper", email=ADA, password=PASSWORD)
    user = user_client.session.user
    assert (user.name, user.email_verified) == ("Grace Hopper", False)
    assert not user.HasField("firstname")
    assert not user.HasField("lastname")
    with refused("EMAIL_TAKEN"):
        await user_client.call("Register", name="Grace", email=ADA.upper(), password=PASSWORD)


async def test_logging_in_and_out(user_client: UserClient) -> None:
    """A session that ended must not go on; logging out twice must not fail."""
    user = await user_client.register()
    await user_client.call("Login", email=ADA.title(), password=PASSWORD)
    assert user_client.session.user == user
    refresh_token = user_client.session.refresh_token
    for token in (refresh_token, refresh_token, "no token"):
        await user_client.call("Logout", refresh_token=token)
    with refused("INVALID_TOKEN"):
        await user_client.call("RefreshSession", refresh_token=refresh_token)


async def test_a_refresh_gives_working_tokens(user_client: UserClient) -> None:
    """A client would lose its session at the first refresh."""
    user = await user_client.register()
    before = user_client.session
    await user_client.call("RefreshSession", refresh_token=before.refresh_token)
    assert user_client.session.user == user
    assert user_client.session.refresh_token != before.refresh_token
    assert (await user_client.call("GetMe")).profile.id == user.id


async def test_an_update_changes_the_fields_of_its_mask(user_client: UserClient) -> None:
    """Other fields must stay; a field that is unset is cleared."""
    await user_client.register(country="England")
    profile = accounts_pb2.Profile(lastname="Byron")
    mask = FieldMask(paths=["lastname", "country"])
    changed = (await user_client.call("UpdateMe", profile=profile, update_mask=mask)).profile
    assert (changed.name, changed.firstname, changed.lastname) == ("Ada Byron", "Ada", "Byron")
    assert not changed.HasField("country")


async def test_deleting_an_account_ends_everything(
    user_client: UserClient, database: Database
) -> None:
    """No personal data may stay, and the address must be free again."""
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


async def test_a_password_reset_ends_earlier_sessions(
    user_client: UserClient, database: Database
) -> None:
    """A thief must not stay logged in, nor the code work twice."""
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


async def test_a_common_password_costs_no_try_of_the_code(
    user_client: UserClient, database: Database
) -> None:
    """A user who has to choose another password must still have a valid code."""
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
    """An address must not change before its owner proved that it is theirs."""
    await user_client.register()
    new = "lovelace@example.com"
    asked = await user_client.call("ChangeEmail", email=new, password=PASSWORD)
    assert (asked.email, asked.changed, asked.expires_in_seconds) == (ADA, False, 600)
    changed = await user_client.call("ChangeEmail", email=new, code=await user_client.code(new))
    assert (changed.email, changed.changed) == (new, True)
    assert not changed.HasField("expires_in_seconds")
    await user_client.call("Login", email=new, password=PASSWORD)


async def test_the_address_of_another_account_is_refused(user_client: UserClient) -> None:
    """Only its owner, who gets the code, may learn that it is taken."""
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
async def test_changing_an_address_needs_password_or_code(
    user_client: UserClient, fields: dict[str, str], path: str
) -> None:
    """The client must see which field is missing."""
    await user_client.call("Register", name="Ada", email=ADA, password=PASSWORD)
    with refused("VALIDATION_ERROR") as refusal:
        await user_client.call("ChangeEmail", **{"email": "new@example.com"} | fields)
    assert refusal.paths == [path]


@pytest.mark.parametrize("rpc", ["GetMe", "UpdateMe", "DeleteMe", "LogoutAll", "ChangeEmail"])
async def test_own_account_needs_a_token(user_client: UserClient, rpc: str) -> None:
    """A call without a token could act on an account."""
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
async def test_addresses_are_well_formed_ascii(
    user_client: UserClient, email: str, is_one: bool
) -> None:
    """Two accounts must not have addresses that look the same."""
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
    """Shorter ones are guessed, longer ones are expensive to hash; any character is allowed."""
    if is_one:
        await user_client.call("Register", name="Ada", email=ADA, password=password)
        await user_client.call("Login", email=ADA, password=password)
    else:
        with refused("VALIDATION_ERROR") as refusal:
            await user_client.call("Register", name="Ada", email=ADA, password=password)
        assert refusal.paths == ["password"]
