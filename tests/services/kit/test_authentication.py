import pytest

from boxoffice.rest.v1 import rest_pb2
from services.kit.authentication import ANONYMOUS, SERVICE, Authenticator, Caller
from services.kit.errors import InvalidToken, PermissionDenied, Unauthenticated

USER = Caller(subject="acct_1")


@pytest.fixture
def authenticator() -> Authenticator:
    """Admits the services and, without a token, nobody else."""
    return Authenticator(open_access=False, service_key="sécret")


@pytest.mark.parametrize("authorization", [None, ""])
def test_without_a_credential_a_caller_is_nobody(
    authenticator: Authenticator, authorization: str | None
) -> None:
    """An empty header is no header."""
    assert authenticator.authenticate(authorization) == ANONYMOUS


def test_the_services_know_each_other_by_their_key(authenticator: Authenticator) -> None:
    """The key is compared as bytes, so it may hold any character."""
    assert authenticator.authenticate("Service sécret") == SERVICE


@pytest.mark.parametrize(
    "authorization",
    [
        "Service",
        "Service ",
        "Service  sécret",
        "Service sécret ",
        "Service s\u00e9cre",
        "sécret",
        "Bearer sécret",
        "Bearer",
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        "Basic YTpi",
        "\x00",
    ],
)
def test_any_other_credential_is_refused(authenticator: Authenticator, authorization: str) -> None:
    """What is not ours is never taken for no credential at all."""
    with pytest.raises(InvalidToken):
        authenticator.authenticate(authorization)


@pytest.mark.parametrize("authorization", ["Service ", "Service", "Service x"])
def test_without_a_key_no_service_is_admitted(authorization: str) -> None:
    """A forgotten setting closes, it does not open."""
    authenticator = Authenticator(open_access=True, service_key="")
    with pytest.raises(InvalidToken):
        authenticator.authenticate(authorization)


@pytest.mark.parametrize(
    ("caller", "access", "refusal"),
    [
        (ANONYMOUS, rest_pb2.ACCESS_PUBLIC, None),
        (ANONYMOUS, rest_pb2.ACCESS_OPEN, Unauthenticated),
        (ANONYMOUS, rest_pb2.ACCESS_SERVICE, PermissionDenied),
        (USER, rest_pb2.ACCESS_PUBLIC, None),
        (USER, rest_pb2.ACCESS_OPEN, None),
        (USER, rest_pb2.ACCESS_SERVICE, PermissionDenied),
        (SERVICE, rest_pb2.ACCESS_PUBLIC, None),
        (SERVICE, rest_pb2.ACCESS_OPEN, None),
        (SERVICE, rest_pb2.ACCESS_SERVICE, None),
    ],
)
def test_access_admits_or_refuses(
    authenticator: Authenticator,
    caller: Caller,
    access: rest_pb2.Access.ValueType,
    refusal: type[Exception] | None,
) -> None:
    """Each kind of caller against each access, with open access off."""
    if refusal is None:
        authenticator.admit(caller, access)
        return
    with pytest.raises(refusal):
        authenticator.admit(caller, access)


def test_open_access_opens_what_is_open_and_no_more() -> None:
    """Development admits callers without a token, but not to what services alone may do."""
    authenticator = Authenticator(open_access=True, service_key="")
    authenticator.admit(ANONYMOUS, rest_pb2.ACCESS_OPEN)
    with pytest.raises(PermissionDenied):
        authenticator.admit(ANONYMOUS, rest_pb2.ACCESS_SERVICE)
