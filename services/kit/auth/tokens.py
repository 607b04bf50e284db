"""Access tokens: what one says, if it is ours and its time is now.

A token is a JWT (RFC 9068) signed with EdDSA. Algorithm, type, issuer and audience are fixed here;
nothing that a token says of itself chooses how it is checked.
"""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.kit.rpc.callers import Role
from services.kit.rpc.errors import InvalidToken

ALGORITHM = "EdDSA"
TYPE = "at+jwt"
ISSUER = "boxoffice"
AUDIENCE = "boxoffice"
LIFETIME_SECONDS = 900
SKEW_SECONDS = 5
"""How far the clock of who signed may be ahead of ours."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says: an account, its role, its generation, and when the token ends (Unix)."""

    subject: str
    role: Role
    generation: int
    expires_at: int


def key_id(token: str) -> str:
    """Reads which key a token says it was signed with; raises InvalidToken unless it is in form.

    The form is canonical: no other spelling of the same token is one.
    """
    if not _FORM.fullmatch(token):
        raise InvalidToken
    try:
        header = _JWS.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise InvalidToken from error
    # Keys in or behind the header (jwk, jku, x5u) and demands (crit) are none of ours.
    if header.keys() != _HEADER or header["typ"] != TYPE or header["alg"] != ALGORITHM:
        raise InvalidToken
    kid: str = header["kid"]
    return kid


def verify(token: str, key: Ed25519PublicKey) -> Claims:
    """Checks a token whose `key_id` is the key's, and gives its claims; raises InvalidToken."""
    try:
        payload = _JWS.decode(token, key, algorithms=[ALGORITHM])
        claims = json.loads(payload, parse_constant=_refuse, parse_float=_refuse)
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise InvalidToken from error
    if not isinstance(claims, dict):
        raise InvalidToken
    return _claims(claims, now=time.time())


def _claims(claims: Mapping[str, Any], *, now: float) -> Claims:
    if claims.get("iss") != ISSUER or claims.get("aud") != AUDIENCE:
        raise InvalidToken
    begins, expires = _moment(claims, "iat"), _moment(claims, "exp")
    not_before = _moment(claims, "nbf") if "nbf" in claims else begins
    # Revocations are listed for little longer than a token may live.
    if not max(begins, not_before) - SKEW_SECONDS <= now < expires <= begins + LIFETIME_SECONDS:
        raise InvalidToken
    _text(claims, "jti")
    role = _text(claims, "role")
    if role not in _ROLES:
        raise InvalidToken
    return Claims(_text(claims, "sub"), Role(role), _moment(claims, "ver"), expires)


def _moment(claims: Mapping[str, Any], name: str) -> int:
    """Reads a whole number; a bool is none."""
    value = claims.get(name)
    if type(value) is not int or value < 0:
        raise InvalidToken
    return value


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST:
        raise InvalidToken
    return value


def _refuse(_: str) -> None:
    raise ValueError("no number of ours")


_JWS = jwt.PyJWS(algorithms=[ALGORITHM])
_HEADER = {"typ", "alg", "kid"}
_ROLES = frozenset(Role)
_LONGEST = 128
# Lengths bound the work for what nobody signed. 64 bytes are 86 characters, four bits of the last
# one unused: zero in the canonical form.
_FORM = re.compile(r"[\w-]{1,256}\.[\w-]{1,2048}\.[\w-]{85}[AQgw]", re.ASCII)
