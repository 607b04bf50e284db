"""The most common passwords, which attackers try first.

The source of the list: docs/decisions/common-passwords.md.
"""

import gzip
from functools import cache
from pathlib import Path

LIST = Path(__file__).with_suffix(".txt.gz")


@cache
def common_passwords() -> frozenset[str]:
    """Reads the 3,000 most common passwords that are long enough here, in lower case."""
    return frozenset(gzip.decompress(LIST.read_bytes()).decode().split())
