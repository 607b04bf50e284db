"""Random identifiers, of letters and digits that are not confused."""

import base64
import secrets


def account_id() -> str:
    """Returns the id of a new account: `acct_` and 130 random bits."""
    return f"acct_{random_text(26)}"


def random_text(length: int) -> str:
    """Returns random lower-case base32 characters, with 5 bits each."""
    drawn = base64.b32encode(secrets.token_bytes(length))
    return drawn[:length].decode().lower()
