"""The file .env is understood line by line, or refused with the line that is not."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local import env_file
from deploy.local.foreign_settings import hints
from deploy.local.settings import known_names
from services.kit.process.environment import SettingsError

Load = Callable[[str | bytes], None]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Returns a function that loads an .env file with this content, in the test's environment."""
    monkeypatch.setattr(os, "environ", {})
    path = tmp_path / ".env"

    def load(content: str | bytes) -> None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        env_file.load(path, known_names())

    return load


def test_the_environment_wins(load: Load) -> None:
    """`PORT=4000 make run` could use the port of .env."""
    os.environ["PORT"] = "4000"
    load("\ufeff# of Windows, too\r\nPORT=3000\r\n\r\nexport EXTRA_PORTS='3001, 3002' # more\r\n")
    assert (os.environ["PORT"], os.environ["EXTRA_PORTS"]) == ("4000", "3001, 3002")


def test_no_file_is_no_mistake(tmp_path: Path) -> None:
    """A checkout without .env could not start."""
    env_file.load(tmp_path / ".env", known_names())
    assert env_file.names(tmp_path / ".env") == frozenset()


@pytest.mark.parametrize(
    "line", ["canary", "BOXOFFICE_SERVICE_KEY: canary", "PORT canary", "=canary", "'canary"]
)
def test_a_line_that_assigns_nothing_is_refused(load: Load, line: str) -> None:
    """A mistyped line could be skipped, or its secret be printed."""
    with pytest.raises(SettingsError) as caught:
        load(f"PORT=3000\n{line}\nEXTRA_PORTS=3001\n")
    assert str(caught.value) == ".env, line 2, must be NAME=value"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("BOXOFICE_OPEN_ACCESS", "BOXOFFICE_OPEN_ACCESS"),
        ("BOXOFFICE_OPENACCESS", "BOXOFFICE_OPEN_ACCESS"),
        ("EVENT_PORT", "EVENTS_PORT"),
        ("PORTS", "PORT"),
    ],
)
def test_a_name_that_is_almost_ours_is_refused(load: Load, name: str, nearest: str) -> None:
    """A mistyped name could leave a protection switched off."""
    with pytest.raises(SettingsError) as caught:
        load(f"{name}=canary")
    assert str(caught.value) == f".env, line 1: {name} is no setting; did you mean {nearest}?"


def test_a_file_that_is_no_text_is_refused(load: Load) -> None:
    """A binary file could end in a traceback that does not name it."""
    with pytest.raises(SettingsError, match=r"\.env cannot be read"):
        load(b"PORT=\xff\xfe")


def test_names_of_other_systems_are_hinted_at(load: Load) -> None:
    """Settings of another system could be ignored without a word."""
    names = ["DB_HOST", "DB_PASSWORD", "JWT_SECRET", "MAIL_HOST", "REDIS_URI", "NODE_ENV"]
    names += [
        "CORS_ORIGIN",
        "LOG_LEVEL",
        "DATABASE_URI",
        "MAIL_PORT",
        "ACCESS_TOKEN_SECRET",
        "STRIPE_KEY",
    ]
    load("".join(f"{name}=canary\n" for name in names))
    found = hints(os.environ, {"STRIPE_KEY"})
    assert all(any(name in hint for hint in found) for name in names)
    assert "nothing here reads STRIPE_KEY: it is no setting of Boxoffice" in found
    assert not any("canary" in hint for hint in found)
    named = {word for hint in found for word in hint.partition(": ")[2].split() if "_" in word}
    assert named <= known_names()


def test_settings_of_ours_need_no_hint() -> None:
    """A hint could call a valid setting a mistake."""
    assert hints(known_names(), ()) == []
