"""Where the tests of the development run find the project."""

from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def project() -> Path:
    """Gives the folder of the checkout."""
    return PROJECT
