"""The passwords that everybody who guesses tries first.

Where the list is from is told in docs/decisions/common-passwords.md.
"""

import gzip
from functools import cache
from pathlib import Path

LIST = Path(__file__).with_suffix(".txt.gz")


@cache
def common_passwords() -> frozenset[str]:
    """Reads the 3,000 most common ones that are long enough to be passwords here, in lower case."""
    return frozenset(gzip.decompress(LIST.read_bytes()).decode().split())
