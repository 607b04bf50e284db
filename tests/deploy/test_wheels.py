"""The wheels get every file of the sources, and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDERS = {"protos": ("boxoffice", "buf"), ".": ("services", "gateway", "deploy")}
LIST = """
import os
from setuptools import Distribution

distribution = Distribution({"script_name": "setup.py"})
distribution.parse_config_files()
build = distribution.get_command_obj("build_py")
build.ensure_finalized()
for path in build.get_outputs(include_bytecode=False):
    print(os.path.relpath(path, build.build_lib))
"""
"""Lists what the builder packs. Building takes ten times as long; `make wheels-check` does it."""


def lines(*command: str, cwd: Path) -> set[str]:
    """Returns the lines that a command writes."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


@pytest.mark.parametrize("name", FOLDERS)
def test_a_wheel_gets_every_file_of_its_sources(project: Path, name: str) -> None:
    """An installation could lack a statement, a page or a font, which only a user would notice."""
    folder = project / name
    packed = lines(sys.executable, "-c", LIST, cwd=folder)
    options = ("--cached", "--others", "--exclude-standard")
    listed = lines("git", "ls-files", *options, *FOLDERS[name], cwd=folder)
    assert packed == {file for file in listed if (folder / file).exists()}
