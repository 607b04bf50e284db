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
    """Returns the issuer that signs the tokens."""
    return ScriptedIssuer()


def verified(issuer: ScriptedIssuer, token: str) -> Claims:
    """Verifies a token as kit does: with the key that its key id names."""
    if tokens.key_id(token) != KID:
        raise InvalidToken
    return tokens.verify(token, issuer.key.public_key())


def segment(content: object) -> str:
    """Encodes a segment of a token."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(issuer: ScriptedIssuer, header: object, claims: object) -> str:
    """Signs any header and claims with the issuer's key; a library would refuse some of them."""
    said = f"{segment(header)}.{segment(claims)}"
    return f"{said}.{segment(issuer.key.sign(said.encode()))}"


def test_a_valid_token_has_its_claims(issuer: ScriptedIssuer) -> None:
    """A caller could get another account, role, generation or expiry than the token has."""
    now = time.time()
    claims = verified(issuer, issuer.token(ADA, Role.ORGANIZER, ver=7))
    assert (claims.subject, claims.role, claims.generation) == (ADA, Role.ORGANIZER, 7)
    assert now < claims.expires_at <= time.time() + 900


def test_unknown_claims_are_ignored(issuer: ScriptedIssuer) -> None:
    """Tokens could be refused as soon as the issuer adds a claim."""
    assert verified(issuer, issuer.token(ADA, nbf=int(time.time()), amr=["pwd"])).subject == ADA


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
def test_the_header_cannot_choose_how_a_token_is_verified(
    issuer: ScriptedIssuer, header: dict[str, Any]
) -> None:
    """An attacker could choose the algorithm, the type or the source of the key."""
    changed = {name: value for name, value in (HEADER | header).items() if value is not None}
    with pytest.raises(InvalidToken):
        verified(issuer, signed(issuer, changed, claims_of(ADA, Role.USER)))


@pytest.mark.parametrize("missing", sorted(HEADER))
def test_a_header_needs_each_part(issuer: ScriptedIssuer, missing: str) -> None:
    """A token without algorithm, key id or type could be accepted."""
    header = {name: value for name, value in HEADER.items() if name != missing}
    with pytest.raises(InvalidToken):
        verified(issuer, signed(issuer, header, claims_of(ADA, Role.USER)))


@pytest.mark.parametrize("secret", ["pem", "raw", "der", "x", "empty"])
def test_the_public_key_is_not_accepted_as_an_hmac_secret(
    issuer: ScriptedIssuer, secret: str
) -> None:
    """Anybody could sign tokens with the public key, if it were used as an HMAC secret."""
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
                verified(issuer, f"{said}.{segment(mac)}")


def test_a_token_of_another_key_is_refused(issuer: ScriptedIssuer) -> None:
    """A token that is signed with another key, or not at all, could be accepted."""
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
            verified(issuer, token)


def test_a_changed_payload_is_refused(issuer: ScriptedIssuer) -> None:
    """A user could become an admin, or another user, by editing a token."""
    header, _, signature = issuer.token(ADA).split(".")
    for claims in (claims_of(ADA, Role.ADMIN), claims_of(account("bob"), Role.USER)):
        with pytest.raises(InvalidToken):
            verified(issuer, f"{header}.{segment(claims)}.{signature}")


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
def test_each_claim_is_required_and_checked(issuer: ScriptedIssuer, claims: dict[str, Any]) -> None:
    """A token with a missing or wrong claim could be accepted."""
    said = {
        name: value
        for name, value in (claims_of(ADA, Role.USER) | claims).items()
        if value is not None
    }
    with pytest.raises(InvalidToken):
        verified(issuer, signed(issuer, HEADER, said))


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
def test_a_token_is_valid_for_15_minutes_at_most(
    issuer: ScriptedIssuer, claims_at: Callable[[int], dict[str, Any]]
) -> None:
    """An expired token, or one that outlives the list of revocations, could be accepted."""
    claims = claims_of(ADA, Role.USER) | claims_at(int(time.time()))
    with pytest.raises(InvalidToken):
        verified(issuer, signed(issuer, HEADER, claims))


@pytest.mark.parametrize("number", ["1e400", "1e3", "-0.0", "Infinity", "1" * 5000])
def test_numbers_out_of_range_are_refused(issuer: ScriptedIssuer, number: str) -> None:
    """A number that overflows, or is infinite, could end in an internal error."""
    text = json.dumps(claims_of(ADA, Role.USER) | {"exp": "HERE"}).replace('"HERE"', number)
    with pytest.raises(InvalidToken):
        verified(issuer, signed(issuer, HEADER, text.encode()))


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 1500, b"\x00"]
)
def test_a_payload_that_is_no_object_is_refused(issuer: ScriptedIssuer, payload: bytes) -> None:
    """A payload that is no JSON object could end in an internal error."""
    with pytest.raises(InvalidToken):
        verified(issuer, signed(issuer, HEADER, payload))


def test_only_the_canonical_form_of_a_token_is_accepted(issuer: ScriptedIssuer) -> None:
    """One token could have many spellings, which evade the cache and fill it."""
    token = issuer.token(ADA)
    header, payload, signature = token.split(".")
    last = signature[-1]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other_last = alphabet[alphabet.index(last) ^ 1]
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
        f"{header}.{payload}.{signature[:-1]}{other_last}",
        f"{header}.{payload}.{signature[:40]}!{signature[40:]}",
        f"{header}.{payload}.{signature.translate(str.maketrans('-_', '+/'))}+",
        f"{header}.{payload}.{'é' * 86}",
        f"{'[' * 2000}.{payload}.{signature}",
        f"{segment(b'[' * 150)}.{payload}.{signature}",
        f"{header}.{'A' * 5000}.{signature}",
    ):
        with pytest.raises(InvalidToken):
            verified(issuer, other)
    assert verified(issuer, token).subject == ADA


def test_clocks_may_differ_by_some_seconds(issuer: ScriptedIssuer) -> None:
    """A new token could be refused where clocks differ, or live longer than it says."""
    now = int(time.time())
    assert verified(issuer, issuer.token(ADA, iat=now + 3, exp=now + 100)).subject == ADA
    with pytest.raises(InvalidToken):
        verified(issuer, issuer.token(ADA, iat=now - 10, exp=now))


def test_other_kinds_of_tokens_are_refused(issuer: ScriptedIssuer) -> None:
    """A refresh token, an API key or another kind of JWT could pass for an access token."""
    for kind in ("JWT", "rt+jwt", "otp+jwt", "id+jwt", "application/at+jwt"):
        with pytest.raises(InvalidToken):
            verified(issuer, issuer.token(ADA, headers={"typ": kind}))
    for opaque in ("rt_k3y4nq7", "box_1_secret", "123456", "a" * 64):
        with pytest.raises(InvalidToken):
            verified(issuer, opaque)
