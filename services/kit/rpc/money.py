"""Money in messages and in print."""

from decimal import Decimal

from boxoffice.type.v1 import money_pb2


def money(amount_minor: int | None, currency: str | None) -> money_pb2.Money | None:
    """Writes an amount in minor units of a currency; None for either leaves the field unset."""
    if amount_minor is None or currency is None:
        return None
    return money_pb2.Money(amount_minor=amount_minor, currency=currency)


def in_words(amount_minor: int | None, currency: str | None) -> str:
    """Prints an amount with its currency, as in `EUR 12.50`; nothing if there is none."""
    if not amount_minor or currency is None:
        return ""
    digits = _MINOR_DIGITS.get(currency, 2)
    return f"{currency} {Decimal(amount_minor).scaleb(-digits):.{digits}f}"


# ISO 4217: the digits of the minor unit where they are not two.
_DIGITS = (
    (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
    (3, "BHD IQD JOD KWD LYD OMR TND"),
    (4, "CLF UYW"),
)
_MINOR_DIGITS = {
    currency: digits for digits, currencies in _DIGITS for currency in currencies.split()
}
