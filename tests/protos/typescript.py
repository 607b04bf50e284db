"""Runs the commands of docs/grpc-clients.md for TypeScript, and checks types in place of a call.

`make typescript`; it needs npm, and so is no test of the suite.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHECK = "npx tsc --noEmit --strict --module nodenext --target es2022 --types node book.ts"


def main() -> int:
    """Runs the commands and a type check in a new folder; returns the exit status."""
    page = (ROOT / "docs/grpc-clients.md").read_text(encoding="utf-8")
    [commands] = re.findall(r"```sh\n(npm init .*?)npx tsx book.ts\n```", page, re.DOTALL)
    [program] = re.findall(r"```ts\n(.*?)```", page, re.DOTALL)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "book.ts").write_text(program, encoding="utf-8")
        Path(folder, "boxoffice").symlink_to(ROOT)
        steps = commands.replace("../boxoffice", "boxoffice")
        script = f"set -e\n{steps}npm install typescript @types/node\n{CHECK}\n"
        return subprocess.run(["/bin/sh", "-c", script], cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
