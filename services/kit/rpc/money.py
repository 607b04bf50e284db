"""Money in messages."""

from boxoffice.type.v1 import money_pb2


def money(amount_minor: int | None, currency: str | None) -> money_pb2.Money | None:
    """Writes an amount in minor units of a currency; None for either leaves the field unset."""
    if amount_minor is None or currency is None:
        return None
    return money_pb2.Money(amount_minor=amount_minor, currency=currency)
