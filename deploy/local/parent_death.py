"""Ends a child process when its parent dies, even by `kill -9`."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def end_with_parent(sent: signal.Signals) -> Callable[[], None] | None:
    """Returns a `preexec_fn` that makes the kernel send the signal `sent` when the parent dies.

    Returns None where the kernel cannot. A change of user clears the request, but `subprocess` runs
    a `preexec_fn` after that change. The kernel watches the *thread* that started the child: start
    it from one that lives as long as the process.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def ask_kernel() -> None:
        prctl(_PR_SET_PDEATHSIG, int(sent))
        if os.getppid() != parent:  # the parent died before this request
            os.kill(os.getpid(), signal.SIGKILL)

    return ask_kernel
