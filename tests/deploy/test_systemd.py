"""The units of systemd: systemd accepts them, and what they start and read exists."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SERVICES = ("accounts", "events", "bookings")
PROGRAMS = "/opt/boxoffice/bin/"


@pytest.fixture
def units(project: Path) -> Path:
    """Returns the folder of the units."""
    return project / "deploy/systemd"


def units_in(folder: Path) -> list[Path]:
    """Lists the services and targets."""
    return [*folder.glob("*.service"), *folder.glob("*.target")]


def settings(unit: Path) -> dict[str, list[str]]:
    """Parses a unit: the values of each setting."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", "[")):
            name, separator, value = line.partition("=")
            assert separator, line
            found.setdefault(name, []).append(value)
    return found


def test_systemd_accepts_the_units(units: Path, tmp_path: Path) -> None:
    """A misspelt setting would be ignored, with a warning that nobody reads."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        names = {name for unit in units_in(units) for name in settings(unit)}
        assert {name for name in names if not re.fullmatch(r"[A-Z]\w*", name)} == set()
        return
    shutil.copytree(units, tmp_path, dirs_exist_ok=True)
    for unit in tmp_path.glob("*.service"):
        bin_folder = f"{Path(sys.executable).parent}/"
        unit.write_text(unit.read_text().replace(PROGRAMS, bin_folder))
    checked = subprocess.run(
        [analyze, "verify", "--man=no", "--recursive-errors=no", *units_in(tmp_path)],
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in checked.stderr.splitlines() if "boxoffice" in line]
    assert (checked.returncode, said) == (0, [])


def test_each_process_has_a_unit_that_starts_it(units: Path) -> None:
    """A unit could start a module that was renamed."""
    for name in (*SERVICES, "gateway"):
        module = name if name == "gateway" else f"services.{name}"
        [command] = settings(units / f"boxoffice-{name}.service")["ExecStart"]
        assert command == f"{PROGRAMS}python -P -m {module}"
        assert importlib.util.find_spec(f"{module}.__main__")


def test_units_name_only_units_that_exist(units: Path) -> None:
    """A service could start before its schema exists, because a name in its unit is wrong."""
    known = {unit.name for unit in units.iterdir()}
    for unit in units_in(units):
        found = settings(unit)
        named = [name for key in ORDER for value in found.get(key, []) for name in value.split()]
        assert {name for name in named if name.startswith("boxoffice")} <= known, unit.name
    for name in SERVICES:
        found = settings(units / f"boxoffice-{name}.service")
        assert found["After"] == found["Requires"] == ["boxoffice-migrate.service"]


ORDER = ("After", "Requires", "Wants", "PartOf", "Conflicts")


def test_no_process_runs_as_root(units: Path) -> None:
    """A defect in a process could give its machine away."""
    common = settings(units / "boxoffice-.service.d/common.conf")
    assert common["User"] == ["boxoffice"]
    assert common["CapabilityBoundingSet"] == [""]
    assert common["NoNewPrivileges"] == common["ProtectHome"] == ["yes"]
    for unit in units.glob("*.service"):
        assert not settings(unit).keys() & {"User", "NoNewPrivileges", "ProtectSystem"}
