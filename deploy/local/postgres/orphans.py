"""Ends PostgreSQL processes that outlived a killed parent, before their files are used again."""

import signal
from pathlib import Path

import psutil

_PATIENCE_SECONDS = 10.0


def stop_process(process: psutil.Process, *signals: signal.Signals) -> None:
    """Sends the signals one after the other until the process has ended."""
    for number in signals:
        try:
            process.send_signal(number)
            process.wait(_PATIENCE_SECONDS)
        except psutil.TimeoutExpired:
            continue
        except psutil.NoSuchProcess:
            pass  # it has ended by itself
        return


def end_orphans(data: Path) -> None:
    """Ends every process that still works in the data folder `data`.

    Call it only while holding the lock of the folder. If another program has got the process id of
    a dead server, it is left alone, and its id is removed, since PostgreSQL would not start.
    """
    pid_file = data / "postmaster.pid"
    if not pid_file.exists():
        return
    named = _named_in(pid_file)
    found = [process for process in psutil.process_iter() if _works_in(process, data)]
    for process in sorted(found, key=lambda process: process.pid != named):
        stop_process(process, *_signals(process, named))
    if psutil.pid_exists(named):
        pid_file.unlink(missing_ok=True)


def _signals(process: psutil.Process, postmaster: int) -> tuple[signal.Signals, ...]:
    """Returns the signals for a process; only the server itself has data to save."""
    if process.pid == postmaster:
        return signal.SIGINT, signal.SIGQUIT, signal.SIGKILL
    return (signal.SIGKILL,)


def _works_in(process: psutil.Process, data: Path) -> bool:
    """Returns whether the data folder is the working directory, as of all PostgreSQL processes."""
    try:
        return process.cwd() == str(data.resolve())
    except psutil.Error:
        return False


def _named_in(pid_file: Path) -> int:
    first_line = pid_file.read_text().partition("\n")[0]
    return int(first_line) if first_line.isdigit() else 0
