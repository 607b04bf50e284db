import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed448, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.kit.auth import tokens
from services.kit.auth.tokens import Claims
from services.kit.rpc.callers import Role
from services.kit.rpc.errors import InvalidToken
from tests.services.issuer import KID, ScriptedIssuer, account, claims_of

ADA = account("ada")
HEADER = {"alg": "EdDSA", "kid": KID, "typ": "at+jwt"}


@pytest.fixture(scope="module")
def issuer() -> ScriptedIssuer:
    """Signs the tokens."""
    return ScriptedIssuer()


def checked(issuer: ScriptedIssuer, token: str) -> Claims:
    """Checks a token as kit does, with the issuer's key for the issuer's key id."""
    if tokens.key_id(token) != KID:
        raise InvalidToken
    return tokens.verify(token, issuer.key.public_key())


def segment(content: object) -> str:
    """Encodes a part of a token."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(issuer: ScriptedIssuer, header: object, claims: object) -> str:
    """Signs anything with the right key, as no library would."""
    said = f"{segment(header)}.{segment(claims)}"
    return f"{said}.{segment(issuer.key.sign(said.encode()))}"


def test_a_good_token_tells_who_calls(issuer: ScriptedIssuer) -> None:
    """Account, role, generation and end."""
    now = time.time()
    claims = checked(issuer, issuer.token(ADA, Role.ORGANIZER, ver=7))
    assert (claims.subject, claims.role, claims.generation) == (ADA, Role.ORGANIZER, 7)
    assert now < claims.expires_at <= time.time() + 900


def test_what_else_a_token_says_does_not_matter(issuer: ScriptedIssuer) -> None:
    """An issuer may say more one day."""
    assert checked(issuer, issuer.token(ADA, nbf=int(time.time()), amr=["pwd"])).subject == ADA


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "NONE"},
        {"alg": "nOnE"},
        {"alg": ""},
        {"alg": None},
        {"alg": "eddsa"},
        {"alg": "EdDSA "},
        {"alg": "HS256"},
        {"alg": "RS256"},
        {"alg": "ES256"},
        {"alg": "Ed25519"},
        {"alg": ["EdDSA"]},
        {"typ": "JWT"},
        {"typ": "AT+JWT"},
        {"typ": "at+jwt "},
        {"typ": "refresh+jwt"},
        {"typ": None},
        {"typ": ["at+jwt"]},
        {"kid": None},
        {"kid": ""},
        {"kid": 1},
        {"kid": [KID]},
        {"kid": {"kid": KID}},
        {"kid": "../../dev/null"},
        {"kid": "https://evil.example/keys.json"},
        {"kid": "' OR 1=1 --"},
        {"kid": f"{KID}\x00"},
        {"kid": KID.upper()},
        {"jku": "https://evil.example/keys.json"},
        {"x5u": "https://evil.example/chain.pem"},
        {"x5c": ["MIIB"]},
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}},
        {"crit": ["exp"], "exp": 1},
        {"crit": []},
        {"crit": ["b64"], "b64": False},
        {"crit": ["b64"], "b64": True},
        {"b64": False},
        {"zip": "DEF"},
        {"cty": "JWT"},
    ],
)
def test_a_header_chooses_nothing(issuer: ScriptedIssuer, header: dict[str, Any]) -> None:
    """Even under a true signature: the algorithm, the type and where keys come from are ours."""
    changed = {name: value for name, value in (HEADER | header).items() if value is not None}
    with pytest.raises(InvalidToken):
        checked(issuer, signed(issuer, changed, claims_of(ADA, Role.USER)))


@pytest.mark.parametrize("missing", sorted(HEADER))
def test_a_header_is_whole(issuer: ScriptedIssuer, missing: str) -> None:
    """No part has a default."""
    header = {name: value for name, value in HEADER.items() if name != missing}
    with pytest.raises(InvalidToken):
        checked(issuer, signed(issuer, header, claims_of(ADA, Role.USER)))


@pytest.mark.parametrize("secret", ["pem", "raw", "der", "x", "empty"])
def test_the_public_key_is_no_secret_to_sign_with(issuer: ScriptedIssuer, secret: str) -> None:
    """Everybody has it, so HMAC with it, under any name, is no signature."""
    public = issuer.key.public_key()
    subject_info = serialization.PublicFormat.SubjectPublicKeyInfo
    secrets = {
        "pem": public.public_bytes(serialization.Encoding.PEM, subject_info),
        "der": public.public_bytes(serialization.Encoding.DER, subject_info),
        "raw": public.public_bytes_raw(),
        "x": base64.urlsafe_b64encode(public.public_bytes_raw()),
        "empty": b"",
    }
    for algorithm in ("HS256", "EdDSA"):
        said = f"{segment(HEADER | {'alg': algorithm})}.{segment(claims_of(ADA, Role.ADMIN))}"
        for digest in (hashlib.sha256, hashlib.sha512):
            mac = hmac.new(secrets[secret], said.encode(), digest).digest()
            with pytest.raises(InvalidToken):
                checked(issuer, f"{said}.{segment(mac)}")


def test_the_key_of_somebody_else_signs_nothing(issuer: ScriptedIssuer) -> None:
    """Neither of our kind, nor of another; nor no key at all."""
    claims = claims_of(ADA, Role.ADMIN)
    stranger = ScriptedIssuer(key=Ed25519PrivateKey.generate()).token(ADA, Role.ADMIN)
    larger = jwt.encode(claims, ed448.Ed448PrivateKey.generate(), "EdDSA", HEADER)
    of_rsa = jwt.encode(
        claims, rsa.generate_private_key(65537, 2048), "RS256", HEADER | {"alg": "RS256"}
    )
    unsigned = jwt.encode(claims, "", "none", HEADER | {"alg": "none"})
    zeros = f"{segment(HEADER)}.{segment(claims)}.{segment(bytes(64))}"
    for token in (stranger, larger, of_rsa, unsigned, zeros):
        with pytest.raises(InvalidToken):
            checked(issuer, token)


def test_what_was_signed_cannot_be_changed(issuer: ScriptedIssuer) -> None:
    """A user does not become an admin, nor does another token's signature help."""
    header, _, signature = issuer.token(ADA).split(".")
    for claims in (claims_of(ADA, Role.ADMIN), claims_of(account("bob"), Role.USER)):
        with pytest.raises(InvalidToken):
            checked(issuer, f"{header}.{segment(claims)}.{signature}")


@pytest.mark.parametrize(
    "claims",
    [
        *({name: None} for name in claims_of(ADA, Role.USER)),
        {"iss": "somebody"},
        {"iss": ["boxoffice"]},
        {"iss": "boxoffice "},
        {"aud": "elsewhere"},
        {"aud": ["boxoffice"]},
        {"aud": ["boxoffice", "elsewhere"]},
        {"aud": ""},
        {"sub": ""},
        {"sub": 1},
        {"sub": ["acct_1"]},
        {"sub": "a" * 129},
        {"role": "user"},
        {"role": "ROOT"},
        {"role": ["ADMIN"]},
        {"role": 3},
        {"jti": 7},
        {"jti": ""},
        {"ver": "1"},
        {"ver": 1.0},
        {"ver": True},
        {"ver": -1},
        {"exp": 0},
        {"exp": -1},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"exp": True},
        {"exp": 2**70},
        {"iat": -1},
        {"nbf": "0"},
        {"nbf": False},
        {"nbf": 1.5},
    ],
)
def test_a_token_says_all_of_it_and_says_it_right(
    issuer: ScriptedIssuer, claims: dict[str, Any]
) -> None:
    """Each claim is there, is of its type, and is ours; the time is now."""
    said = {
        name: value
        for name, value in (claims_of(ADA, Role.USER) | claims).items()
        if value is not None
    }
    with pytest.raises(InvalidToken):
        checked(issuer, signed(issuer, HEADER, said))


@pytest.mark.parametrize(
    "claims_at",
    [
        lambda now: {"exp": now - 1},
        lambda now: {"exp": now - 901, "iat": now - 1800},
        lambda now: {"exp": str(now + 900)},
        lambda now: {"exp": now + 900.0},
        lambda now: {"exp": [now + 900]},
        lambda now: {"exp": now + 86_400},
        lambda now: {"iat": now + 60, "exp": now + 120},
        lambda now: {"iat": str(now)},
        lambda now: {"iat": now + 0.5},
        lambda now: {"nbf": now + 60},
    ],
)
def test_a_token_is_good_for_a_while(
    issuer: ScriptedIssuer, claims_at: Callable[[int], dict[str, Any]]
) -> None:
    """From now on and for 15 minutes at most, in whole seconds."""
    claims = claims_of(ADA, Role.USER) | claims_at(int(time.time()))
    with pytest.raises(InvalidToken):
        checked(issuer, signed(issuer, HEADER, claims))


@pytest.mark.parametrize("number", ["1e400", "1e3", "-0.0", "Infinity", "1" * 5000])
def test_numbers_that_are_no_numbers_of_ours_are_refused(
    issuer: ScriptedIssuer, number: str
) -> None:
    """JSON can write numbers that overflow, or are endless, when they are read."""
    text = json.dumps(claims_of(ADA, Role.USER) | {"exp": "HERE"}).replace('"HERE"', number)
    with pytest.raises(InvalidToken):
        checked(issuer, signed(issuer, HEADER, text.encode()))


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 1500, b"\x00"]
)
def test_what_is_signed_is_an_object(issuer: ScriptedIssuer, payload: bytes) -> None:
    """Not even the issuer's mistakes are anybody's credentials."""
    with pytest.raises(InvalidToken):
        checked(issuer, signed(issuer, HEADER, payload))


def test_a_token_has_one_spelling(issuer: ScriptedIssuer) -> None:
    """Segments, padding, alphabet and unused bits: nothing beside the canonical form."""
    token = issuer.token(ADA)
    header, payload, signature = token.split(".")
    last = signature[-1]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = alphabet[alphabet.index(last) ^ 1]
    for other in (
        "",
        ".",
        "..",
        "...",
        f"{header}.{payload}",
        f"{header}.{payload}.",
        f".{payload}.{signature}",
        f"{header}..{signature}",
        f"{token}.{signature}",
        f".{token}",
        f"{token}.",
        f"{token}=",
        f"{token}==",
        f"{token} ",
        f" {token}",
        f"{token}\n",
        f"{header}=.{payload}.{signature}",
        f"{header}.{payload}==.{signature}",
        f"{header}\n.{payload}.{signature}",
        f"{header}.{payload}.{signature[:-1]}",
        f"{header}.{payload}.{signature}A",
        f"{header}.{payload}.{signature[:-1]}{twin}",
        f"{header}.{payload}.{signature[:40]}!{signature[40:]}",
        f"{header}.{payload}.{signature.translate(str.maketrans('-_', '+/'))}+",
        f"{header}.{payload}.{'é' * 86}",
        f"{'[' * 2000}.{payload}.{signature}",
        f"{segment(b'[' * 150)}.{payload}.{signature}",
        f"{header}.{'A' * 5000}.{signature}",
    ):
        with pytest.raises(InvalidToken):
            checked(issuer, other)
    assert checked(issuer, token).subject == ADA


def test_clocks_may_differ_a_little(issuer: ScriptedIssuer) -> None:
    """A token that was signed a moment ahead of our clock is good; its end is not stretched."""
    now = int(time.time())
    assert checked(issuer, issuer.token(ADA, iat=now + 3, exp=now + 100)).subject == ADA
    with pytest.raises(InvalidToken):
        checked(issuer, issuer.token(ADA, iat=now - 10, exp=now))


def test_an_access_token_is_nothing_else(issuer: ScriptedIssuer) -> None:
    """What other things are called or signed for is no access token, whoever signed it."""
    for kind in ("JWT", "rt+jwt", "otp+jwt", "id+jwt", "application/at+jwt"):
        with pytest.raises(InvalidToken):
            checked(issuer, issuer.token(ADA, headers={"typ": kind}))
    for opaque in ("rt_k3y4nq7", "box_1_secret", "123456", "a" * 64):
        with pytest.raises(InvalidToken):
            checked(issuer, opaque)
