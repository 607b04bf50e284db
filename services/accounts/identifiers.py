"""Names that nobody can guess, in letters and digits that nobody confuses."""

import base64
import secrets


def account_id() -> str:
    """Makes the id of a new account: `acct_` and 130 random bits."""
    return f"acct_{random_text(26)}"


def random_text(length: int) -> str:
    """Draws lower-case base32 characters, of 5 bits each."""
    drawn = base64.b32encode(secrets.token_bytes(length))
    return drawn[:length].decode().lower()
