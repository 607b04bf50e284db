"""Runs accounts: `python -m services.accounts`. Wiring only."""

import contextlib
from collections.abc import AsyncIterator

from boxoffice.accounts.v1 import accounts_pb2_grpc, identity_pb2_grpc
from boxoffice.accounts.v1.api_keys_pb2_grpc import add_ApiKeysServiceServicer_to_server
from boxoffice.accounts.v1.notices_pb2_grpc import add_NoticesServiceServicer_to_server
from boxoffice.audit.v1.audit_pb2 import AUDITED_SERVICE_ACCOUNTS
from services.accounts.credentials.api_keys import ApiKeys
from services.accounts.credentials.codes import Codes
from services.accounts.credentials.common_passwords import common_passwords
from services.accounts.credentials.issuer import LocalIssuer
from services.accounts.credentials.passwords import Passwords
from services.accounts.credentials.revocations import Revocations
from services.accounts.credentials.servicer import ApiKeysServicer, IdentityServicer
from services.accounts.credentials.signing_keys import SigningKeys
from services.accounts.credentials.tokens import Tokens
from services.accounts.mail import smtp
from services.accounts.mail.mailer import Mailer
from services.accounts.outbox.notices import Notices
from services.accounts.outbox.outbox import Outbox
from services.accounts.outbox.servicer import NoticesServicer
from services.accounts.people.people import People
from services.accounts.people.servicer import AccountsServicer
from services.accounts.settings import Settings
from services.accounts.users.directory import Directory
from services.kit.database import postgres
from services.kit.process.workers import repeat
from services.kit.server.service import Service, run


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[int]:
    """Serves accounts while the block runs; yields the port. Raises StartError."""
    pool = postgres.open_pool(
        settings.database_url,
        schema="accounts",
        size=settings.pool_size,
        pooled=settings.database_pooled,
    )
    signing_keys, api_keys, revocations = SigningKeys(pool), ApiKeys(pool), Revocations(pool)
    service = Service(settings, LocalIssuer(signing_keys, api_keys, revocations))
    codes, notices = Codes(pool, *settings.peppers()), Notices(pool)
    smtp_server = smtp.server_at(settings.smtp_url)
    mailer = Mailer(pool, codes, server=smtp_server, sender=settings.mail_from)
    refused = common_passwords() if settings.refuse_common_passwords else frozenset()
    async with pool, Passwords(refused=refused) as passwords:
        people = People.of(pool, codes, passwords, settings.organizer_sign_up)
        identity = IdentityServicer(signing_keys, api_keys, revocations, Directory(pool))
        accounts = AccountsServicer(people, Tokens(signing_keys))
        identity_pb2_grpc.add_IdentityServiceServicer_to_server(identity, service.grpc)
        accounts_pb2_grpc.add_AccountsServiceServicer_to_server(accounts, service.grpc)
        add_ApiKeysServiceServicer_to_server(ApiKeysServicer(api_keys), service.grpc)
        add_NoticesServiceServicer_to_server(NoticesServicer(notices), service.grpc)
        service.add_audit(pool, AUDITED_SERVICE_ACCOUNTS)
        await postgres.wait_until_reachable(pool)
        await signing_keys.prepare(environment=settings.environment)
        async with service.serve(
            [pool],
            repeat(mailer.deliver, every_seconds=1),
            repeat(Outbox(pool).measure, every_seconds=15),
            repeat(mailer.give_up, every_seconds=3600),
            repeat(signing_keys.forget, every_seconds=3600),
            repeat(people.sessions.forget, every_seconds=3600),
            repeat(codes.forget, every_seconds=3600),
            repeat(notices.forget, every_seconds=3600),
        ) as port:
            yield port


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    run("accounts", Settings, serving)


if __name__ == "__main__":
    main()
