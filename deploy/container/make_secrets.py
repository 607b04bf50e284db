"""Makes the secrets that compose.yaml and the overlay `single` need, each in a file of a folder.

`python3 deploy/container/make_secrets.py FOLDER` needs nothing but Python. It keeps the files that
are there, so it can run again after an upgrade.
"""

import argparse
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

HOST = "postgresql"
DATABASE = "boxoffice"
SERVICES = ("events", "bookings", "accounts")
SINGLE = ("service_key", "code_pepper", "grafana_password")
"""Secrets that no other one contains."""


def missing(existing: Mapping[str, str]) -> Mapping[str, str]:
    """Returns the secrets that are missing. URLs contain the passwords that are there or new."""
    made = {name: existing.get(name) or secrets.token_urlsafe(32) for name in SINGLE}
    for role, user in _users().items():
        password = existing.get(f"{role}_database_password") or secrets.token_urlsafe(32)
        made[f"{role}_database_password"] = password
        made[f"{role}_database_url"] = f"postgresql://{user}:{password}@{HOST}:5432/{DATABASE}"
    return {name: secret for name, secret in made.items() if name not in existing}


def write(folder: Path) -> list[str]:
    """Writes the missing secrets into a folder that only its owner can enter; returns their names.

    The files can be read by all who get at them: containers run as another user than the owner,
    and get single files without the folder.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    existing = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    made = missing(existing)
    for name, secret in made.items():
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o444)
            file.write(secret)
    return sorted(made)


def _users() -> Mapping[str, str]:
    return {"owner": "owner"} | {service: f"boxoffice_{service}" for service in SERVICES}


def main() -> int:
    """Makes the secrets and prints their names."""
    parser = argparse.ArgumentParser(description="Make the secrets of Boxoffice's containers.")
    parser.add_argument("folder", type=Path, help="where each secret gets a file")
    made = write(parser.parse_args().folder)
    print(f"made {', '.join(made)}" if made else "all secrets are there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
