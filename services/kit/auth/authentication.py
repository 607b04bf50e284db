"""From an `authorization` to a caller: the one place where credentials are looked at."""

import asyncio
import hmac
from collections.abc import Sequence

from services.kit.auth.api_keys import PREFIX, ApiKeys
from services.kit.auth.credential_cache import Known
from services.kit.auth.issuer import NOBODY, Issuer
from services.kit.auth.trusted_keys import Trust
from services.kit.rpc import callers
from services.kit.rpc.callers import ANONYMOUS, SERVICE, SERVICE_SCHEME, Caller, Role, Rule
from services.kit.rpc.errors import InvalidToken, Refusal

__all__ = ["ANONYMOUS", "SERVICE", "SERVICE_SCHEME", "Authenticator", "Caller", "Role"]


class Authenticator:
    """Turns an `authorization` into a caller.

    `Bearer <token>` and `Bearer <api key>` are an account, as `issuer` vouches for it; `Service
    <key>` is one of the services, which share `service_key`; empty admits none.
    """

    def __init__(self, *, open_access: bool, service_key: str, issuer: Issuer = NOBODY) -> None:
        self._open_access = open_access
        self._service_key = service_key.encode()
        self._known = Known()
        self._api_keys = ApiKeys(issuer)
        self._trust = Trust(issuer, self._known)
        self.refresh = self._trust.refresh
        """Work to repeat each REFRESH_SECONDS: learns of new keys and of revocations."""

    def known(self, authorization: str | None) -> Caller | None:
        """Tells at once who calls, if that was found out before; else None, and `authenticate`."""
        if not authorization:
            return ANONYMOUS
        return self._known.find(authorization)

    async def authenticate(self, authorization: str | None) -> Caller:
        """Tells who calls; raises InvalidToken, or Unavailable when only the issuer could tell."""
        if caller := self.known(authorization):
            return caller
        scheme, _, credential = (authorization or "").partition(" ")
        if scheme == _SERVICE and self._is_service_key(credential):
            return SERVICE
        if scheme.lower() != _BEARER:
            raise InvalidToken
        check = self._api_keys.check if credential.startswith(PREFIX) else self._trust.check
        caller, until = await check(credential)
        self._known.add(authorization or "", caller, until=until)
        return caller

    async def authenticate_all(self, authorizations: Sequence[str]) -> list[Caller | Refusal]:
        """Tells who calls, for each of many calls at once, or why it is refused."""
        known = {each: self.known(each) for each in set(authorizations)}
        unknown = [each for each, caller in known.items() if caller is None]
        tried = await asyncio.gather(*map(self._tried, unknown)) if unknown else ()
        found = dict(zip(unknown, tried, strict=True))
        return [known[each] or found[each] for each in authorizations]

    def admit(self, caller: Caller, rule: Rule) -> None:
        """Raises Unauthenticated or PermissionDenied unless the rule admits the caller."""
        callers.admit(caller, rule, open_access=self._open_access)

    async def _tried(self, authorization: str) -> Caller | Refusal:
        try:
            return await self.authenticate(authorization)
        except Refusal as refusal:
            return refusal

    def _is_service_key(self, key: str) -> bool:
        return bool(self._service_key) and hmac.compare_digest(key.encode(), self._service_key)


_SERVICE = SERVICE_SCHEME.strip()
_BEARER = "bearer"
