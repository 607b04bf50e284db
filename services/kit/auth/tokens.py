"""Verifies access tokens.

A token is a JWT (RFC 9068) signed with EdDSA. Algorithm, type, issuer and audience are fixed here;
nothing in a token chooses how it is verified.
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
"""How far the clock of accounts may be ahead."""


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a token; `expires_at` is in Unix time."""

    subject: str
    role: Role
    generation: int
    expires_at: int


def key_id(token: str) -> str:
    """Reads the key id of a token; raises InvalidToken for malformed ones.

    Only the canonical encoding of a token is well-formed.
    """
    if not _FORM.fullmatch(token):
        raise InvalidToken
    try:
        header = _JWS.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise InvalidToken from error
    # Keys in the header (jwk, jku, x5u) and extensions (crit) are never accepted.
    if header.keys() != _HEADER or header["typ"] != TYPE or header["alg"] != ALGORITHM:
        raise InvalidToken
    kid: str = header["kid"]
    return kid


def verify(token: str, key: Ed25519PublicKey) -> Claims:
    """Verifies a token with the key of its `key_id` and returns its claims.

    Raises InvalidToken.
    """
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
    # A longer lifetime is refused, since revocations are listed for little longer than ours.
    if not max(begins, not_before) - SKEW_SECONDS <= now < expires <= begins + LIFETIME_SECONDS:
        raise InvalidToken
    _text(claims, "jti")
    role = _text(claims, "role")
    if role not in _ROLES:
        raise InvalidToken
    return Claims(_text(claims, "sub"), Role(role), _moment(claims, "ver"), expires)


def _moment(claims: Mapping[str, Any], name: str) -> int:
    """Reads a non-negative integer, which a bool is not."""
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
    raise ValueError("not an integer")


_JWS = jwt.PyJWS(algorithms=[ALGORITHM])
_HEADER = {"typ", "alg", "kid"}
_ROLES = frozenset(Role)
_LONGEST = 128
# Lengths bound the work for unsigned input. A signature of 64 bytes has 86 characters; in the
# canonical form the four unused bits of the last one are zero.
_FORM = re.compile(r"[\w-]{1,256}\.[\w-]{1,2048}\.[\w-]{85}[AQgw]", re.ASCII)
