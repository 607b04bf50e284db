import grpc
import pytest

from gateway.admission.credentials import PublicIssuer
from services.kit.auth.authentication import Authenticator
from services.kit.auth.issuer_client import IssuerClient
from services.kit.rpc.callers import Role
from services.kit.rpc.errors import InvalidToken, Unavailable
from tests.services.issuer import ScriptedIssuer, account, serve_identity

ADA = account("ada")


async def test_credentials_identify_whom_to_limit() -> None:
    """Callers would share limits, or a forged credential would get a limit of its own."""
    issuer = ScriptedIssuer()
    server, target = await serve_identity(issuer)
    async with grpc.aio.insecure_channel(target) as channel:
        identity = IssuerClient(channel, "", environment="test")
        reader = Authenticator(issuer=PublicIssuer(identity), open_access=True, service_key="")
        caller = await reader.authenticate(f"Bearer {issuer.token(ADA, Role.ADMIN)}")
        assert caller.subject == ADA
        key = await reader.authenticate("Bearer box_one_secret")
        assert (key.scopes, key.role) == (frozenset(), None)
        assert key.subject
        assert "secret" not in key.subject
        wrong = await reader.authenticate("Bearer box_one_wrong")
        assert wrong.subject not in {None, key.subject}
        stranger = ScriptedIssuer().token(ADA)
        for authorization in ("Service ", "Bearer box_one", f"Bearer {stranger}"):
            with pytest.raises(InvalidToken):
                await reader.authenticate(authorization)
    await server.stop(None)
    assert issuer.resolved == []


async def test_an_unknown_key_is_unavailable_without_accounts() -> None:
    """A good token, signed with a new key, would be rejected as invalid."""
    async with grpc.aio.insecure_channel("127.0.0.1:1") as nowhere:
        identity = IssuerClient(nowhere, "", environment="test")
        reader = Authenticator(issuer=PublicIssuer(identity), open_access=True, service_key="")
        with pytest.raises(Unavailable):
            await reader.authenticate(f"Bearer {ScriptedIssuer().token(ADA)}")
        with pytest.raises(InvalidToken):
            await reader.authenticate("Bearer abc.def.ghi")
