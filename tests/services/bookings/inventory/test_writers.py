import re
from collections import defaultdict
from pathlib import Path

from services import bookings

SERVICE = Path(bookings.__file__).parent
WRITE = re.compile(
    r"\b(INSERT INTO|UPDATE|DELETE FROM|MERGE INTO|TRUNCATE|COPY)\s+(?:ONLY\s+)?(?:bookings\.)?"
    r"(inventory|bookings|waiting_list|ledger|notices|idempotency|seat_claims|seat_blocks"
    r"|payments|refunds|provider_events)\b"
)
SAVED = {
    ("INSERT INTO", "inventory"),
    ("UPDATE", "inventory"),
    ("INSERT INTO", "bookings"),
    ("UPDATE", "bookings"),
    ("INSERT INTO", "waiting_list"),
    ("UPDATE", "waiting_list"),
    ("INSERT INTO", "ledger"),
    ("INSERT INTO", "notices"),
}
SEATS_SAVED = {
    ("INSERT INTO", "seat_claims"),
    ("UPDATE", "seat_claims"),
    ("DELETE FROM", "seat_claims"),
    ("INSERT INTO", "seat_blocks"),
    ("UPDATE", "seat_blocks"),
    ("DELETE FROM", "seat_blocks"),
}
CLOSED = {
    ("UPDATE", "inventory"),
    ("UPDATE", "bookings"),
    ("UPDATE", "waiting_list"),
    ("DELETE FROM", "seat_claims"),
    ("DELETE FROM", "seat_blocks"),
}
PAYMENTS_SAVED = {
    ("INSERT INTO", "payments"),
    ("UPDATE", "payments"),
    ("INSERT INTO", "refunds"),
    ("UPDATE", "refunds"),
    ("INSERT INTO", "provider_events"),
    ("UPDATE", "inventory"),
}


def test_nothing_but_saving_writes_what_is_decided() -> None:
    """Other code would change an inventory without its lock, rules or ledger."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for path in (*SERVICE.rglob("*.sql"), *SERVICE.rglob("*.py")):
        name = path.relative_to(SERVICE).as_posix()
        if not name.startswith("migrations/"):
            for verb, table in WRITE.findall(path.read_text(encoding="utf-8")):
                found[name].add((verb, table))
    assert found == {
        "inventory/saving.sql": SAVED,
        "inventory/seat_rows.sql": SEATS_SAVED,
        "inventory/closing.sql": CLOSED,
        "inventory/payment_rows.sql": PAYMENTS_SAVED,
        "inventory/restoring.sql": {("UPDATE", "inventory"), ("INSERT INTO", "ledger")},
        # When providers are asked next, and the names that they have for payments.
        "payments/attempts.sql": {("UPDATE", "payments")},
        "payments/looks.sql": {("UPDATE", "payments")},
        "payments/refunds.sql": {("UPDATE", "refunds")},
        "waiting_list/notices.sql": {("UPDATE", "notices"), ("DELETE FROM", "notices")},
    }
