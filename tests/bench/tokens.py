"""Access tokens as accounts issues them, for callers that act for any user."""

import asyncio

from deploy.local.samples.admin import Admin
from services.accounts.credentials.signing_keys import SigningKeys
from services.accounts.credentials.tokens import Tokens
from services.accounts.identifiers import account_id
from services.kit.database.postgres import open_pool


def issue(dsn: str, count: int) -> list[str]:
    """Issues so many tokens, each of another account."""
    return asyncio.run(_issue(dsn, count))


async def _issue(dsn: str, count: int) -> list[str]:
    async with open_pool(dsn, schema="accounts", size=2) as pool:
        tokens = Tokens(SigningKeys(pool))
        return [(await tokens.issue(Admin(account_id()))).token for _ in range(count)]
