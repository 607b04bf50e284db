from pathlib import Path

from deploy.container import make_secrets
from tests.deploy.container.files import PROJECT


def test_every_secret_is_long_and_unlike_the_others(tmp_path: Path) -> None:
    """A secret could be too short for production, or open more than one door."""
    make_secrets.write(tmp_path / "secrets")
    found = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    passwords = [found[name] for name in found if not name.endswith("_url")]
    assert len(set(passwords)) == len(passwords) == 7
    assert min(map(len, passwords)) >= 32


def test_urls_have_the_passwords(tmp_path: Path) -> None:
    """A service could log in with another password than the one that its role has."""
    make_secrets.write(tmp_path)
    for role in ("owner", "events", "bookings", "accounts"):
        password = (tmp_path / f"{role}_database_password").read_text()
        user = role if role == "owner" else f"boxoffice_{role}"
        url = (tmp_path / f"{role}_database_url").read_text()
        assert url == f"postgresql://{user}:{password}@postgresql:5432/boxoffice"


def test_secrets_that_are_there_stay(tmp_path: Path) -> None:
    """An upgrade could replace a password that the database keeps."""
    (tmp_path / "events_database_password").write_text("chosen")
    assert "events_database_password" not in make_secrets.write(tmp_path)
    assert "events:chosen@" in (tmp_path / "events_database_url").read_text()
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert make_secrets.write(tmp_path) == []
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def test_only_the_owner_of_the_folder_gets_at_them(tmp_path: Path) -> None:
    """Another user of the machine could read them, or a container not read its own."""
    make_secrets.write(tmp_path / "secrets")
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "secrets").iterdir()} == {0o444}


def test_they_get_into_no_commit_and_no_image() -> None:
    """A secret could be published with the code."""
    assert ".secrets/" in (PROJECT / ".gitignore").read_text().splitlines()
    assert (PROJECT / ".dockerignore").read_text().splitlines()[-1] == "**/.secrets"
    for place in ("deploy/compose.yaml", "deploy/kubernetes/single/kustomization.yaml"):
        assert "/.secrets" in (PROJECT / place).read_text()
