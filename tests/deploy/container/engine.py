"""Runs commands in containers of the image, with docker, podman or buildah."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import psutil

USER = "10001"
STOP_SECONDS = 30
CONFINED = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--memory=768m", "--network=host")


class Engine(Protocol):
    """Runs commands in containers that share this machine's network."""

    def line(self, command: Sequence[str], environment: Mapping[str, str]) -> Sequence[str]:
        """Returns the command line that runs a command in a new container."""

    def close(self) -> str:
        """Removes what was made; returns the files that were written and must not be."""


class Docker:
    """Docker or podman: with a root file system that nobody can write to."""

    def __init__(self, program: str, image: str) -> None:
        self._program = program
        self._image = image

    def line(self, command: Sequence[str], environment: Mapping[str, str]) -> Sequence[str]:
        """See Engine."""
        variables = [f"--env={name}={value}" for name, value in environment.items()]
        how = ("run", "--rm", "--entrypoint=", *CONFINED)
        return [self._program, *how, *variables, self._image, *command]

    def close(self) -> str:
        """See Engine."""
        return ""


class Buildah:
    """Buildah, which has no read-only file system: afterwards it is searched for new files."""

    def __init__(self, image: str) -> None:
        self._container = output("buildah", "from", "--pull-never", image)
        self._started = Path(tempfile.mkstemp(prefix="boxoffice-started-")[1])

    def line(self, command: Sequence[str], environment: Mapping[str, str]) -> Sequence[str]:
        """See Engine."""
        variables = [f"--env={name}={value}" for name, value in environment.items()]
        how = ("run", "--isolation=chroot", f"--user={USER}:{USER}")
        return ["buildah", *how, *variables, self._container, "--", *command]

    def close(self) -> str:
        """See Engine."""
        root = output("buildah", "mount", self._container)
        new = ("-newer", str(self._started), "-type", "f", "-user", USER)
        found = output("find", root, "-xdev", *new, "-not", "-path", f"{root}/tmp/*")
        output("buildah", "umount", self._container)
        output("buildah", "rm", self._container)
        self._started.unlink()
        return found


def find_engine(image: str) -> Engine:
    """Returns the first engine that works here. Exits if there is none."""
    for program in ("docker", "podman"):
        if shutil.which(program) and works(program, "info"):
            return Docker(program, image)
    if not shutil.which("buildah"):
        sys.exit("this needs docker, podman or buildah")
    return Buildah(image)


def output(*command: str) -> str:
    """Runs a command and returns what it prints. Raises CalledProcessError."""
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout.strip()


def works(*command: str) -> bool:
    """Returns whether a command succeeds."""
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def stop(container: "subprocess.Popen[str]") -> int:
    """Asks the process of a container to end, as an orchestrator does; returns its status."""
    tree = [psutil.Process(container.pid), *psutil.Process(container.pid).children(recursive=True)]
    tree[-1].terminate()  # the process itself: those above it are the engine's
    return container.wait(timeout=STOP_SECONDS)
