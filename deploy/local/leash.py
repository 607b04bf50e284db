"""Ties a child process to the life of its parent, so that not even `kill -9` leaves it behind."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def leash(parting_signal: signal.Signals) -> Callable[[], None] | None:
    """Returns a `preexec_fn` that has the kernel send `parting_signal` when the parent dies.

    None where the kernel cannot. A change of user clears the request; `subprocess` runs a
    `preexec_fn` after changing the user, so the two go together. The kernel watches the
    *thread* that started the child: start it from one that lives as long as the process.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def ask_kernel() -> None:
        prctl(_PR_SET_PDEATHSIG, int(parting_signal))
        if os.getppid() != parent:  # it died before it could be watched
            os.kill(os.getpid(), signal.SIGKILL)

    return ask_kernel
