"""Amounts as Stripe has them: minor units of ISO 4217, but for some currencies other ones."""

_TIMES_100 = frozenset({"ISK"})
"""Whole units by ISO 4217, hundredths at Stripe, which takes no fractions of a unit."""
_BY_100 = frozenset({"MGA"})
"""Hundredths by ISO 4217, whole units at Stripe."""
_LAST_DIGIT_0 = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
"""Thousandths, of which Stripe takes tens only."""
_REFUSED = frozenset({"UGX", "IQD", "LYD", "UYI", "CLF", "UYW"})
"""Unknown to Stripe; of UGX its documents contradict each other about the unit."""


def to_stripe(amount_minor: int, currency: str) -> int | None:
    """Returns an amount in the units of Stripe; None if Stripe cannot take just this amount."""
    if currency in _REFUSED or (currency in _LAST_DIGIT_0 and amount_minor % 10):
        return None
    if currency in _TIMES_100:
        return amount_minor * 100
    if currency in _BY_100:
        whole, rest = divmod(amount_minor, 100)
        return None if rest else whole
    return amount_minor


def from_stripe(amount: int, currency: str) -> int:
    """Returns an amount of Stripe in minor units by ISO 4217."""
    if currency in _TIMES_100:
        return amount // 100
    return amount * 100 if currency in _BY_100 else amount
