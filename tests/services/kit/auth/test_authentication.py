import pytest

from boxoffice.rest.v1 import rest_pb2
from services.kit.auth.authentication import ANONYMOUS, SERVICE, Authenticator, Caller, Role
from services.kit.rpc.callers import Rule
from services.kit.rpc.errors import InvalidToken, Unauthenticated, Unavailable
from tests.services.issuer import ScriptedIssuer, account

ADA = account("ada")


@pytest.fixture
def issuer() -> ScriptedIssuer:
    """Returns an issuer of tokens and API keys."""
    return ScriptedIssuer()


@pytest.fixture
def authenticator(issuer: ScriptedIssuer) -> Authenticator:
    """Returns an authenticator without open access."""
    return Authenticator(issuer=issuer, open_access=False, service_key="sécret")


@pytest.mark.parametrize("authorization", [None, ""])
async def test_a_caller_without_a_credential_is_anonymous(
    authenticator: Authenticator, authorization: str | None
) -> None:
    """A client that sends an empty header could be refused."""
    assert await authenticator.authenticate(authorization) is ANONYMOUS


async def test_the_service_key_authenticates_a_service(authenticator: Authenticator) -> None:
    """A service key with a character outside of ASCII could fail to compare."""
    assert await authenticator.authenticate("Service sécret") is SERVICE


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_a_token_authenticates_its_account(
    issuer: ScriptedIssuer, authenticator: Authenticator, scheme: str
) -> None:
    """A client that writes the scheme in lower case could be refused (RFC 9110)."""
    caller = await authenticator.authenticate(f"{scheme} {issuer.token(ADA, Role.ADMIN)}")
    assert caller == Caller(ADA, Role.ADMIN)


async def test_an_api_key_authenticates_its_account_within_scopes(
    issuer: ScriptedIssuer, authenticator: Authenticator
) -> None:
    """An API key could be taken for a token, or act outside of its scopes."""
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
    """A caller with an unknown credential could be admitted as anonymous."""
    assert authenticator.cached(authorization) is None
    with pytest.raises(InvalidToken):
        await authenticator.authenticate(authorization)


@pytest.mark.parametrize(
    "spelling", ["Bearer  {}", "Bearer {} ", "Bearer {}\t", "Bearer\t{}", "{}"]
)
async def test_a_credential_has_one_form(
    issuer: ScriptedIssuer, authenticator: Authenticator, spelling: str
) -> None:
    """A credential with other white space could be accepted, and evade the cache."""
    with pytest.raises(InvalidToken):
        await authenticator.authenticate(spelling.format(issuer.token(ADA)))


@pytest.mark.parametrize("authorization", ["Service ", "Service", "Service x"])
async def test_without_a_service_key_no_service_is_admitted(authorization: str) -> None:
    """A forgotten setting could let anybody call as a service."""
    authenticator = Authenticator(open_access=True, service_key="")
    with pytest.raises(InvalidToken):
        await authenticator.authenticate(authorization)


async def test_two_service_keys_are_accepted_while_one_replaces_the_other() -> None:
    """Services that have the new key already could be refused by those that have not."""
    authenticator = Authenticator(open_access=False, service_key="old", second_service_key="new")
    for key in ("old", "new"):
        assert await authenticator.authenticate(f"Service {key}") is SERVICE
    for key in ("", "oldnew", "other"):
        with pytest.raises(InvalidToken):
            await authenticator.authenticate(f"Service {key}")


async def test_without_an_issuer_every_token_is_refused(issuer: ScriptedIssuer) -> None:
    """A service without an issuer could accept tokens that nobody has verified."""
    authenticator = Authenticator(open_access=True, service_key="")
    for credential in (issuer.token(ADA), issuer.add_key(ADA, Role.USER)):
        with pytest.raises(InvalidToken):
            await authenticator.authenticate(f"Bearer {credential}")


async def test_a_verified_credential_is_cached(
    issuer: ScriptedIssuer, authenticator: Authenticator
) -> None:
    """Each request could cost a check of the signature, or a call to accounts."""
    key = issuer.add_key(ADA, Role.USER)
    for credential in (f"Bearer {issuer.token(ADA)}", f"Bearer {key}"):
        assert authenticator.cached(credential) is None
        caller = await authenticator.authenticate(credential)
        assert authenticator.cached(credential) is caller
    issuer.refusal = Unavailable()
    assert await authenticator.authenticate(f"Bearer {key}") == authenticator.cached(
        f"Bearer {key}"
    )


async def test_a_revoked_credential_is_refused_after_the_next_refresh(
    issuer: ScriptedIssuer, authenticator: Authenticator
) -> None:
    """A cached token or API key could outlive its revocation."""
    token, key = f"Bearer {issuer.token(ADA)}", f"Bearer {issuer.add_key(ADA, Role.USER)}"
    for credential in (token, key):
        await authenticator.authenticate(credential)
    issuer.generations[ADA] = 2
    issuer.api_keys.clear()
    await authenticator.refresh()
    for credential in (token, key):
        with pytest.raises(InvalidToken):
            await authenticator.authenticate(credential)


async def test_refused_credentials_are_not_cached(
    issuer: ScriptedIssuer, authenticator: Authenticator
) -> None:
    """Made-up credentials could fill the cache and evict valid ones."""
    for number in range(100):
        with pytest.raises(InvalidToken):
            await authenticator.authenticate(f"Bearer {ScriptedIssuer().token(f'acct_{number}')}")
    assert len(authenticator._cache) == 0


async def test_each_call_of_a_batch_has_its_own_caller(
    issuer: ScriptedIssuer, authenticator: Authenticator
) -> None:
    """A call could be done for the caller of another one, or be refused for its credential."""
    token = f"Bearer {issuer.token(ADA)}"
    await authenticator.authenticate(token)
    fresh = f"Bearer {issuer.token(account('bob'))}"
    nobody, ada, made_up, bob, again, service = await authenticator.authenticate_all(
        ["", token, "Bearer x.y.z", fresh, token, "Service sécret"]
    )
    assert (nobody, ada, again, service) == (ANONYMOUS, Caller(ADA, Role.USER), ada, SERVICE)
    assert isinstance(made_up, InvalidToken)
    assert bob == Caller(account("bob"), Role.USER)


async def test_open_access_is_a_setting(issuer: ScriptedIssuer) -> None:
    """Anonymous callers could be admitted without the setting."""
    rule = Rule(rest_pb2.ACCESS_OPEN)
    Authenticator(open_access=True, service_key="").admit(ANONYMOUS, rule)
    with pytest.raises(Unauthenticated):
        Authenticator(open_access=False, service_key="").admit(ANONYMOUS, rule)
