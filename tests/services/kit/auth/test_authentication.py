import pytest

from boxoffice.rest.v1 import rest_pb2
from services.kit.auth.authentication import ANONYMOUS, SERVICE, Authenticator, Caller, Role
from services.kit.rpc.callers import Rule
from services.kit.rpc.errors import InvalidToken, Unauthenticated, Unavailable
from tests.services.issuer import ScriptedIssuer, account

ADA = account("ada")


@pytest.fixture
def issuer() -> ScriptedIssuer:
    """Vouches for tokens and keys."""
    return ScriptedIssuer()


@pytest.fixture
def authenticator(issuer: ScriptedIssuer) -> Authenticator:
    """Admits accounts and services and, without a credential, nobody else."""
    return Authenticator(issuer=issuer, open_access=False, service_key="sécret")


@pytest.mark.parametrize("authorization", [None, ""])
async def test_without_a_credential_a_caller_is_nobody(
    authenticator: Authenticator, authorization: str | None
) -> None:
    """An empty header is no header."""
    assert await authenticator.authenticate(authorization) is ANONYMOUS


async def test_the_services_know_each_other_by_their_key(authenticator: Authenticator) -> None:
    """The key is compared as bytes, so it may hold any character."""
    assert await authenticator.authenticate("Service sécret") is SERVICE


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_a_token_is_an_account(
    issuer: ScriptedIssuer, authenticator: Authenticator, scheme: str
) -> None:
    """Schemes have no case (RFC 9110)."""
    caller = await authenticator.authenticate(f"{scheme} {issuer.token(ADA, Role.ADMIN)}")
    assert caller == Caller(ADA, Role.ADMIN)


async def test_an_api_key_is_its_account_within_scopes(
    issuer: ScriptedIssuer, authenticator: Authenticator
) -> None:
    """By its prefix it is told from a token."""
    key = issuer.add_key(ADA, Role.USER, rest_pb2.SCOPE_BOOKINGS_READ)
    caller = await authenticator.authenticate(f"Bearer {key}")
    assert (caller.subject, caller.scopes) == (ADA, {rest_pb2.SCOPE_BOOKINGS_READ})


@pytest.mark.parametrize(
    "authorization",
    [
        "Service",
        "Service ",
        "Service  sécret",
        "Service sécret ",
        "service sécret",
        "Service s\u00e9cre",
        "Service box_1_secret",
        "sécret",
        "Bearer sécret",
        "Bearer",
        "Bearer ",
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        "Bearer box_1_unknown",
        "Basic YTpi",
        "Digest a",
        "\x00",
        " ",
    ],
)
async def test_any_other_credential_is_refused(
    authenticator: Authenticator, authorization: str
) -> None:
    """What is not ours is never taken for no credential at all."""
    assert authenticator.cached(authorization) is None
    with pytest.raises(InvalidToken):
        await authenticator.authenticate(authorization)


@pytest.mark.parametrize(
    "spelling", ["Bearer  {}", "Bearer {} ", "Bearer {}\t", "Bearer\t{}", "{}"]
)
async def test_a_credential_has_one_spelling(
    issuer: ScriptedIssuer, authenticator: Authenticator, spelling: str
) -> None:
    """One blank after the scheme, and nothing behind."""
    with pytest.raises(InvalidToken):
        await authenticator.authenticate(spelling.format(issuer.token(ADA)))


@pytest.mark.parametrize("authorization", ["Service ", "Service", "Service x"])
async def test_without_a_key_no_service_is_admitted(authorization: str) -> None:
    """A forgotten setting closes, it does not open."""
    authenticator = Authenticator(open_access=True, service_key="")
    with pytest.raises(InvalidToken):
        await authenticator.authenticate(authorization)


async def test_without_an_issuer_every_token_is_made_up(issuer: ScriptedIssuer) -> None:
    """Whoever forgets to name one admits no account."""
    authenticator = Authenticator(open_access=True, service_key="")
    for credential in (issuer.token(ADA), issuer.add_key(ADA, Role.USER)):
        with pytest.raises(InvalidToken):
            await authenticator.authenticate(f"Bearer {credential}")


async def test_what_was_seen_before_is_known_at_once(
    issuer: ScriptedIssuer, authenticator: Authenticator
) -> None:
    """Without a check of the signature, and without a question to anybody."""
    key = issuer.add_key(ADA, Role.USER)
    for credential in (f"Bearer {issuer.token(ADA)}", f"Bearer {key}"):
        assert authenticator.cached(credential) is None
        caller = await authenticator.authenticate(credential)
        assert authenticator.cached(credential) is caller
    issuer.refusal = Unavailable()
    assert await authenticator.authenticate(f"Bearer {key}") == authenticator.cached(
        f"Bearer {key}"
    )


async def test_what_is_revoked_is_refused_from_the_next_look_on(
    issuer: ScriptedIssuer, authenticator: Authenticator
) -> None:
    """Though it was known before; a key of the same account is asked for anew."""
    token, key = f"Bearer {issuer.token(ADA)}", f"Bearer {issuer.add_key(ADA, Role.USER)}"
    for credential in (token, key):
        await authenticator.authenticate(credential)
    issuer.generations[ADA] = 2
    issuer.api_keys.clear()
    await authenticator.refresh()
    for credential in (token, key):
        with pytest.raises(InvalidToken):
            await authenticator.authenticate(credential)


async def test_what_is_refused_is_never_known(
    issuer: ScriptedIssuer, authenticator: Authenticator
) -> None:
    """So made-up credentials take no memory."""
    for number in range(100):
        with pytest.raises(InvalidToken):
            await authenticator.authenticate(f"Bearer {ScriptedIssuer().token(f'acct_{number}')}")
    assert len(authenticator._cache) == 0


async def test_many_callers_are_told_apart(
    issuer: ScriptedIssuer, authenticator: Authenticator
) -> None:
    """Each by its own credential, in their order, and each refusal concerns its own alone."""
    token = f"Bearer {issuer.token(ADA)}"
    await authenticator.authenticate(token)
    fresh = f"Bearer {issuer.token(account('bob'))}"
    nobody, ada, made_up, bob, again, service = await authenticator.authenticate_all(
        ["", token, "Bearer x.y.z", fresh, token, "Service sécret"]
    )
    assert (nobody, ada, again, service) == (ANONYMOUS, Caller(ADA, Role.USER), ada, SERVICE)
    assert isinstance(made_up, InvalidToken)
    assert bob == Caller(account("bob"), Role.USER)


async def test_open_access_is_for_those_who_show_nothing(issuer: ScriptedIssuer) -> None:
    """And is a setting."""
    rule = Rule(rest_pb2.ACCESS_OPEN)
    Authenticator(open_access=True, service_key="").admit(ANONYMOUS, rule)
    with pytest.raises(Unauthenticated):
        Authenticator(open_access=False, service_key="").admit(ANONYMOUS, rule)
