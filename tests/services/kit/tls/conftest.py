"""Two authorities: the one that everybody trusts, and another one."""

from pathlib import Path

import pytest

from services.kit.tls import reloading
from tests.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Returns the authority that is trusted."""
    return Authority(tmp_path / "ours")


@pytest.fixture
def stranger(tmp_path: Path) -> Authority:
    """Returns an authority that nobody trusts."""
    return Authority(tmp_path / "strange")


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at the files before every connection, so that no test has to wait."""
    monkeypatch.setattr(reloading, "LOOK_SECONDS", 0)
