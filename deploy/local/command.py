"""Ends every command of the development run with an exit code, and a message if it failed."""

import signal
import sys
from collections.abc import Callable

from deploy.local.errors import LocalRunError
from services.kit.process.environment import refuse
from services.kit.rpc.errors import StartError


def command(work: Callable[[], None]) -> int:
    """Does the work and returns the exit code; a signal to stop counts as success."""
    # Until the runner handles it, SIGTERM ends the work as Ctrl-C does: `finally` blocks run.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        work()
    except StartError as exc:
        return refuse("Boxoffice", exc)
    except LocalRunError as exc:
        return _failed(str(exc))
    except OSError as exc:
        return _failed(f"{exc.filename}: {exc.strerror}" if exc.filename else str(exc))
    except KeyboardInterrupt:
        return 0
    return 0


def _failed(message: str) -> int:
    print(f"Boxoffice: {message}", file=sys.stderr)
    return 1
