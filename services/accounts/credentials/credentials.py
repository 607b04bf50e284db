"""What was issued to an account, to be ended all at once: log-ins and API keys."""

from services.kit.database import queries
from services.kit.database.postgres import Connection

SQL = queries.load(__file__)


async def end_log_ins(connection: Connection, account_id: str) -> None:
    """Ends every log-in of an account, within the transaction that changed its generation."""
    await connection.execute(SQL["delete_sessions"], {"account_id": account_id})


async def end_all(connection: Connection, account_id: str) -> None:
    """Ends every log-in and every API key, within the transaction that changed the generation."""
    await end_log_ins(connection, account_id)
    await connection.execute(SQL["delete_api_keys"], {"account_id": account_id})
