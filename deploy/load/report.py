"""The result of a load test, as text and as JSON."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from deploy.load.purchases import Outcome
from deploy.load.run import Result
from deploy.load.series import percentile_ms


def as_json(result: Result) -> dict[str, Any]:
    """Returns everything about a run."""
    shop = result.shop
    return {
        "url": result.order.target.url,
        "event_id": result.sale.event_id,
        "profile": result.plan.profile,
        "buyers": len(shop.purchases),
        "was_stopped": result.was_stopped,
        "exit_status": result.exit_status,
        "failure": shop.failure.format_message() if shop.failure else None,
        "outcomes": _outcomes(result),
        "unknown_at_first": _outcomes(result, unknown_only=True),
        "not_sent": shop.skipped,
        "late_ms": round(1e3 * shop.late_seconds, 1),
        "check": result.verdict.json(),
        "series": shop.series.json(),
    }


def lines(result: Result) -> Iterator[str]:
    """Yields the report for a person."""
    shop, series, sale = result.shop, result.shop.series, result.sale
    whose = "made for this test" if sale.is_own else "already there"
    yield f"Event {sale.event_id} ({whose}) at {result.order.target.url}"
    if result.was_stopped:
        yield f"Stopped after {shop.finished} of {shop.planned} purchases."
    looks = f" (and {shop.looks} looks at the seats left)" if shop.looks else ""
    yield (
        f"{series.sold} seats sold in {series.seconds:.1f} s by {len(series.requests)} requests"
        f"{looks}: p50 {_shown(series.wait_ms(50))}, p99 {_shown(series.wait_ms(99))}"
    )
    if series.known:
        yield (
            f"Buyers knew the outcome after p50 {_shown(percentile_ms(series.known, 50))}, "
            f"p99 {_shown(percentile_ms(series.known, 99))} from their arrival on"
        )
    yield f"Purchases: {_counted(_outcomes(result))}"
    if series.codes:
        yield f"Responses that were no success: {_counted(dict(series.codes))}"
    yield from _about_unknown(result)
    if shop.skipped or shop.late_seconds > 0.1:
        yield (
            f"The load was less than asked for: {shop.skipped} requests were not sent, and the "
            f"generator was late by up to {1e3 * shop.late_seconds:.0f} ms."
        )
    if series.codes["rate_limited"]:
        yield (
            "The gateway's rate limits refused requests: for a test of speed, start one with "
            "GATEWAY_RATE_LIMITS=off."
        )
    yield from _check(result)


def _about_unknown(result: Result) -> Iterator[str]:
    """Yields what became of purchases whose outcome was unknown."""
    if found := _outcomes(result, unknown_only=True):
        yield f"Unknown at first, asked again with the same key: {_counted(found)}"


def _check(result: Result) -> Iterator[str]:
    verdict = result.verdict
    yield from verdict.notes
    if verdict.disagreements:
        yield "CHECK FAILED: the system does not have what it told."
        yield from (f"  - {line}" for line in verdict.disagreements)
    if verdict.unresolved:
        yield f"{verdict.unresolved} purchases are still unknown: the system did not answer."
    if verdict.exit_status == 0:
        yield (
            f"CHECK PASSED: every booking is as it was told, {verdict.sold} seats booked and "
            f"{verdict.left} left."
        )
    if result.sale.is_own:
        yield _about_event(result)


def _about_event(result: Result) -> str:
    if result.order.deletes and result.exit_status == 0:
        return "The event was deleted."
    return f"The event stays; DELETE /events/{result.sale.event_id} removes it."


def _outcomes(result: Result, *, unknown_only: bool = False) -> dict[str, int]:
    """Counts purchases by what their buyers know."""
    counted = Counter(
        f"{one.outcome} {one.code}" if one.outcome is Outcome.REFUSED else str(one.outcome)
        for one in result.shop.purchases
        if one.was_unknown or not unknown_only
    )
    return dict(counted.most_common())


def _counted(counts: dict[str, int]) -> str:
    return (
        ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items()) or "none"
    )


def _shown(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds:.0f} ms"
