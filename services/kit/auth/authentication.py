"""Authenticates callers: the one place that verifies credentials."""

import asyncio
import hmac
from collections.abc import Sequence

from services.kit.auth.api_keys import PREFIX, ApiKeys
from services.kit.auth.credential_cache import CredentialCache
from services.kit.auth.issuer import NO_ISSUER, Issuer
from services.kit.auth.trusted_keys import TrustedKeys
from services.kit.rpc import callers
from services.kit.rpc.callers import ANONYMOUS, SERVICE, SERVICE_SCHEME, Caller, Role, Rule
from services.kit.rpc.errors import InvalidToken, Refusal

__all__ = ["ANONYMOUS", "SERVICE", "SERVICE_SCHEME", "Authenticator", "Caller", "Role"]


class Authenticator:
    """Turns an `authorization` into a caller.

    `Bearer <token>` and `Bearer <api key>` are an account that `issuer` knows. `Service <key>` is
    one of the services, which share `service_key`, and `second_service_key` while one key replaces
    the other. A key that is empty admits nobody.
    """

    def __init__(
        self,
        *,
        open_access: bool,
        service_key: str,
        second_service_key: str = "",
        issuer: Issuer = NO_ISSUER,
    ) -> None:
        self._open_access = open_access
        self._service_keys = [key.encode() for key in (service_key, second_service_key) if key]
        self._cache = CredentialCache()
        self._api_keys = ApiKeys(issuer)
        self._trusted_keys = TrustedKeys(issuer, self._cache)
        self.prepare = self._trusted_keys.prepare
        """Gets keys and revocations at start, as far as the issuer answers."""
        self.refresh = self._trusted_keys.refresh
        """Work to repeat every REFRESH_SECONDS: gets new keys and revocations."""

    def cached(self, authorization: str | None) -> Caller | None:
        """Returns the caller of a cached credential; None if `authenticate` must verify it."""
        if not authorization:
            return ANONYMOUS
        return self._cache.find(authorization)

    async def authenticate(self, authorization: str | None) -> Caller:
        """Returns the caller; raises InvalidToken, or Unavailable if the issuer does not answer."""
        if caller := self.cached(authorization):
            return caller
        scheme, _, credential = (authorization or "").partition(" ")
        if scheme == _SERVICE and self._is_service_key(credential):
            return SERVICE
        if scheme.lower() != _BEARER:
            raise InvalidToken
        check = self._api_keys.check if credential.startswith(PREFIX) else self._trusted_keys.check
        caller, until = await check(credential)
        self._cache.add(authorization or "", caller, until=until)
        return caller

    async def authenticate_all(self, authorizations: Sequence[str]) -> list[Caller | Refusal]:
        """Returns the caller of each credential, or the refusal."""
        cached = {each: self.cached(each) for each in set(authorizations)}
        unknown = [each for each, caller in cached.items() if caller is None]
        tried = await asyncio.gather(*map(self._tried, unknown)) if unknown else ()
        found = dict(zip(unknown, tried, strict=True))
        return [cached[each] or found[each] for each in authorizations]

    def admit(self, caller: Caller, rule: Rule) -> None:
        """Raises Unauthenticated or PermissionDenied unless the rule admits the caller."""
        callers.admit(caller, rule, open_access=self._open_access)

    async def _tried(self, authorization: str) -> Caller | Refusal:
        try:
            return await self.authenticate(authorization)
        except Refusal as refusal:
            return refusal

    def _is_service_key(self, key: str) -> bool:
        return any(hmac.compare_digest(key.encode(), known) for known in self._service_keys)


_SERVICE = SERVICE_SCHEME.strip()
_BEARER = "bearer"
