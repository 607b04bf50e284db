"""Stands in for a service: logs that it serves, and waits for the signal that ends it."""

import json
import os
import signal

# A STUBBORN service ignores SIGTERM.
END_SIGNAL = signal.SIGUSR1 if "STUBBORN" in os.environ else signal.SIGTERM


def say(event: str, **more: object) -> None:
    """Prints one line of log as the services do."""
    print(json.dumps({"level": "info", "event": event, "pid": os.getpid(), **more}), flush=True)


signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})
say("serving", listen=os.environ["BOOKINGS_LISTEN"])
signal.sigwait({END_SIGNAL})
say("stopped")
