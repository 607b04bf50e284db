"""Load by wrk, with a fixed number of connections for a fixed time, and its results."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
CONNECTIONS = 64


@dataclass(frozen=True, slots=True)
class Load:
    """The results of a load; `refused` responses are not 2xx, `failed` requests got none."""

    requests: int
    refused: int
    failed: int
    seconds: float
    p50: float
    p99: float

    @property
    def succeeded(self) -> int:
        """The number of responses with 2xx."""
        return self.requests - self.refused


def has_wrk() -> bool:
    """Returns whether wrk is installed."""
    return shutil.which("wrk") is not None


def drive(
    url: str,
    *,
    seconds: float,
    connections: int = CONNECTIONS,
    script: str = "",
    variables: Mapping[str, str] = {},
) -> Load:
    """Runs wrk with a URL, or with the requests of a Lua script."""
    scripts = [FOLDER / name for name in (script, "report.lua") if name]
    # wrk reads its script once for each thread, so it must be a file.
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as whole:
        whole.write("\n".join(path.read_text(encoding="utf-8") for path in scripts))
        whole.flush()
        finished = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "-s", whole.name, url],  # noqa: S607 - where it is differs
            env=os.environ | variables,
            capture_output=True,
            text=True,
            check=True,
            timeout=seconds + 30,
        )
    return Load(**json.loads(finished.stdout.strip().splitlines()[-1]))
