import pytest

from gateway.live.pace import PACE


@pytest.mark.parametrize(
    ("written", "lasts"), [(0, 0.02), (0.002, 0.02), (0.005, 0.04), (0.01, 0.05), (1, 0.05)]
)
def test_a_crowd_gets_longer_rounds(written: float, lasts: float) -> None:
    """A thousand watchers would take a quarter of the time of a gateway that is busy booking.

    Without a limit, they would see changes late.
    """
    assert PACE.round_after(written) == pytest.approx(lasts)
