"""Builds the wheels of both projects into a folder: `python -m deploy.wheels [FOLDER]`.

They are built from a copy of the sources, because the builder would take files of an earlier build
into a wheel. The times of the files are that of the last commit, so the same sources make the same
wheels.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
PROJECTS = ("protos", ".")
"""The folders of the projects: what callers need, and what runs Boxoffice."""

_SOURCES = ("protos", "services", "gateway", "deploy", "pyproject.toml", "README.md", "LICENSE")
_IGNORED = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "dist")
_BUILD = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
_FIRST_TIME_OF_ZIP = 315_532_800


def build(target: Path) -> None:
    """Builds both wheels into `target`, in place of wheels of ours that are there."""
    target = target.absolute()
    target.mkdir(parents=True, exist_ok=True)
    for old in target.glob("boxoffice*.whl"):
        old.unlink()
    with tempfile.TemporaryDirectory(prefix="boxoffice-wheels-") as name:
        copy = Path(name)
        _copy_sources(copy)
        for project in PROJECTS:
            _build(copy / project, target)


def _copy_sources(copy: Path) -> None:
    for name in _SOURCES:
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=_IGNORED)
        else:
            shutil.copy2(source, copy / name)


def _build(project: Path, target: Path) -> None:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": _source_time()}
    command = [sys.executable, "-c", _BUILD, str(target)]
    built = subprocess.run(
        command,
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if built.returncode:
        sys.exit(f"{built.stdout}\nThe wheel of {project.name} could not be built.")


def _source_time() -> str:
    """Returns SOURCE_DATE_EPOCH: the environment's, or the time of the last commit."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return given
    command = ["git", "-C", str(CHECKOUT), "log", "-1", "--format=%ct"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # no git, or no repository
        return str(_FIRST_TIME_OF_ZIP)


if __name__ == "__main__":
    build(Path(*sys.argv[1:2] or ["dist"]))
