"""Measures whether response times reveal accounts: `python -m tests.bench.enumeration`.

Requests about known and unknown addresses are sent in random order. The area under the curve is 0.5
if their times cannot be distinguished, and 1 if one request is enough.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from aiosmtpd.controller import Controller

from deploy.local.postgres.server import temporary_postgres
from services.accounts.credentials.passwords import RECOMMENDED
from services.migrate import migrate_all
from tests.conftest import PASSWORDS, TEMPLATE, Database, cloned
from tests.e2e.system import System, free_ports, until
from tests.services.accounts.client import execute, read
from tests.services.accounts.mailbox import Mailbox

GOAL = 0.55
PASSWORD = "correct horse battery staple"
NOT_IT = {"password": "not the one that it is"}
CODE = {"code": "000000"}
FORM = {"firstname": "Eve", "lastname": "Eve", "password": PASSWORD}
OPERATIONS: dict[str, tuple[str, dict[str, str]]] = {
    "login": ("/auth/login", NOT_IT),
    "send-code": ("/auth/send-code", {"type": "register"}),
    "register": ("/auth/register", FORM | CODE),
    "forgot-password": ("/auth/forgot-password", {}),
    "reset-password": ("/auth/reset-password", CODE | {"new_password": PASSWORD}),
}
FIRST = {"register": "send-code", "reset-password": "forgot-password"}
"""The operations that request the codes which the others try."""


def main() -> None:
    """Measures each operation, and prints its figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("operations", nargs="*", default=list(OPERATIONS))
    parser.add_argument("--requests", type=int, default=500, help="of each kind")
    given = parser.parse_args()
    with temporary_postgres() as postgres, tempfile.TemporaryDirectory() as folder:
        migrate_all(postgres.create_database(TEMPLATE), PASSWORDS)
        for operation in given.operations:
            with cloned(postgres) as database:
                measure(operation, database, Path(folder), given.requests)


def measure(operation: str, database: Database, folder: Path, requests: int) -> None:
    """Measures one operation in a system of its own."""
    inbox, [port] = Mailbox(), free_ports(1)
    mail = Controller(inbox, hostname="127.0.0.1", port=port)
    mail.start()
    try:
        with System(database, folder, ACCOUNTS_SMTP_URL=f"smtp://127.0.0.1:{port}") as system:
            known, unknown = addresses(database, requests)
            with httpx.Client(base_url=system.url, trust_env=False) as client:
                ask(client, "login", [f"warm{number}@example.com" for number in range(20)])
                if operation in FIRST:
                    ask(client, FIRST[operation], known + unknown)
                    is_sent = "SELECT NOT EXISTS (SELECT 1 FROM outbox)"
                    until(lambda: read(database, is_sent) == [(True,)], system.log, seconds=300)
                times = ask(client, operation, random.sample(known + unknown, 2 * requests))
        report(operation, [times[each] for each in known], [times[each] for each in unknown])
    finally:
        mail.stop()


def addresses(database: Database, count: int) -> tuple[list[str], list[str]]:
    """Creates accounts; returns their addresses, and as many without an account."""
    execute(
        database,
        "INSERT INTO accounts (id, email, canonical_email, email_verified, name, password_hash)"
        " SELECT 'acct_' || translate(lpad(n::text, 26, 'a'), '0189', 'bcde'),"
        " 'known' || n || '@example.com', 'known' || n || '@example.com', true, 'x', %(hash)s"
        " FROM generate_series(1, %(count)s) AS n",
        hash=RECOMMENDED.hash(PASSWORD),
        count=count,
    )
    numbers = range(1, count + 1)
    return [f"known{n}@example.com" for n in numbers], [f"never{n}@example.com" for n in numbers]


def ask(client: httpx.Client, operation: str, wanted: Sequence[str]) -> dict[str, float]:
    """Sends a request about each address in turn; returns the seconds of each response."""
    path, body = OPERATIONS[operation]
    times: dict[str, float] = {}
    answers: set[tuple[int, bytes]] = set()
    for address in wanted:
        started = time.perf_counter()
        answer = client.post(path, json={"email": address, **body})
        times[address] = time.perf_counter() - started
        answers.add((answer.status_code, answer.content))
    if len(answers) != 1:
        raise SystemExit(f"{operation} is answered in several ways: {answers}")
    return times


def report(operation: str, known: list[float], unknown: list[float]) -> None:
    """Prints the figure of an operation."""
    middles = [1000 * sorted(times)[len(times) // 2] for times in (known, unknown)]
    area = area_under_curve(known, unknown)
    print(
        f"{operation:16} AUC {area:.3f} (goal: at most {GOAL}),"
        f" median {middles[0]:.2f} ms known, {middles[1]:.2f} ms unknown, {len(known)} of each"
    )


def area_under_curve(some: Sequence[float], others: Sequence[float]) -> float:
    """Returns how well the two can be distinguished, whichever takes longer."""
    ranked = sorted([(value, 1) for value in some] + [(value, 0) for value in others])
    ranks: Any = sum(rank for rank, (_, mine) in enumerate(ranked, start=1) if mine)
    area = (ranks - len(some) * (len(some) + 1) / 2) / (len(some) * len(others))
    return float(max(area, 1 - area))


if __name__ == "__main__":
    main()
