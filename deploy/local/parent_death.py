"""Ends a child process when its parent dies, even by `kill -9`."""

import ctypes
import os
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_prctl = getattr(ctypes.CDLL(None), "prctl", None)  # only Linux has it


def end_with_parent(sent: signal.Signals) -> Callable[[], None] | None:
    """Returns a `preexec_fn` that calls `request`, for a child of this process.

    Returns None where the kernel cannot. A change of user clears the request, but `subprocess` runs
    a `preexec_fn` after that change.
    """
    if _prctl is None:
        return None
    parent = os.getpid()

    def ask_kernel() -> None:
        request(sent)
        if os.getppid() != parent:  # the parent died before this request
            os.kill(os.getpid(), signal.SIGKILL)

    return ask_kernel


def request(sent: signal.Signals) -> None:
    """Makes the kernel send a signal to this process when its parent dies, where it can.

    The kernel watches the *thread* that started it: start it from one that lives as long as the
    process.
    """
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, int(sent))
