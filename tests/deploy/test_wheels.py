"""The wheels have every file of the sources, and nothing else."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from deploy.wheels import build

FOLDERS = {
    "boxoffice-": ("protos/boxoffice/", "protos/buf/"),
    "boxoffice_server-": ("services/", "gateway/", "deploy/"),
}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds both wheels."""
    folder = tmp_path_factory.mktemp("wheels")
    build(folder)
    return folder


@pytest.mark.parametrize("name", FOLDERS)
def test_a_wheel_has_every_file_of_its_sources(wheels: Path, project: Path, name: str) -> None:
    """An installation could lack a statement, a page or a font, which only a user would notice."""
    [wheel] = wheels.glob(f"{name}*.whl")
    packed = {file for file in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in file}
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *FOLDERS[name]]
    listed = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    sources = {line for line in listed.stdout.splitlines() if (project / line).exists()}
    assert packed == {source.removeprefix("protos/") for source in sources}
