"""How often clients are written to, and what else takes time."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of the work of a hub.

    After each `slice_seconds` of writing, everything else that the gateway does has its turn for as
    long. So watchers take at most half of its time, and bookings do not wait for them. A crowd
    whose writing takes more than `share` of a round gets longer rounds, up to
    `longest_round_seconds`: more changes share an event. An event is followed for `linger_seconds`
    after its last client has left. Positions in queues are told each `queue_seconds`, and each
    holder of a place is reported to bookings each `presence_seconds`.
    """

    round_seconds: float = 0.02
    longest_round_seconds: float = 0.05
    share: float = 0.125
    slice_seconds: float = 0.001
    heartbeat_seconds: float = 15.0
    linger_seconds: float = 10.0
    queue_seconds: float = 1.0
    presence_seconds: float = 20.0
    first_pause_seconds: float = 0.1
    longest_pause_seconds: float = 2.0

    def round_after(self, written_seconds: float) -> float:
        """Returns how long a round should last in which so much time was spent on writing."""
        return min(
            max(self.round_seconds, written_seconds / self.share), self.longest_round_seconds
        )


PACE = Pace()
