"""A full or read-only disk is reported in one sentence."""

from pathlib import Path

import pytest

from deploy.local.database import data_directory
from deploy.local.postgres.disk_space import full_disk
from deploy.local.postgres.server import EmbeddedPostgres
from deploy.local.settings import RunSettings
from services.kit.process.environment import SettingsError

INITDB = """running bootstrap script ... FATAL:  could not write to file "base/4/1255_fsm": {}
child process exited with exit code 1
initdb: removing contents of data directory "/data/postgres/data.unfinished"
"""


@pytest.mark.parametrize(
    "said",
    [
        INITDB.format("No space left on device"),
        INITDB.format("Disk quota exceeded"),
        'could not extend file "base/1/2": wrote only 4096 bytes\nHINT:  Check free disk space.',
    ],
)
def test_a_full_disk_is_reported_in_one_sentence(tmp_path: Path, said: str) -> None:
    """The reason could be hidden in a page of initdb's output."""
    sentence = full_disk(tmp_path, said)
    assert sentence is not None
    assert sentence.startswith(f"the disk of {tmp_path} is full: a new database takes ")
    assert "\n" not in sentence


def test_other_failures_are_not_blamed_on_the_disk(tmp_path: Path) -> None:
    """Another failure could be blamed on the disk."""
    assert full_disk(tmp_path, "FATAL:  data directory has invalid permissions") is None


def test_the_reason_of_a_failure_names_a_full_disk(tmp_path: Path) -> None:
    """The log of a failed server could be shown without its reason."""
    server = EmbeddedPostgres(tmp_path)
    server._folder.log.write_text("PANIC: No space left on device\n")
    assert " is full: " in server.failure_reason()
    server._folder.log.write_text("received fast shutdown request\n")
    assert server.failure_reason() == "its log ends with\nreceived fast shutdown request"


@pytest.mark.parametrize("below", ["", "below/it"])
def test_a_data_directory_that_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    """The message could name a system call in place of the setting."""
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("BOXOFFICE_DATA_DIRECTORY", str(file / below))
    with pytest.raises(
        SettingsError, match=rf"^BOXOFFICE_DATA_DIRECTORY={file}.*: it is no folder$"
    ):
        data_directory(RunSettings.load())


def test_a_data_directory_that_cannot_be_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only disk could be noticed only by initdb; not even root writes to /proc."""
    monkeypatch.setenv("BOXOFFICE_DATA_DIRECTORY", "/proc/boxoffice")
    with pytest.raises(SettingsError, match=r"^BOXOFFICE_DATA_DIRECTORY=/proc/boxoffice must be"):
        data_directory(RunSettings.load())
