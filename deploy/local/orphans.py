"""Ends PostgreSQL processes that outlived a killed parent, before their files are used again."""

import signal
from pathlib import Path

import psutil

_PATIENCE_SECONDS = 10.0


def stop_process(process: psutil.Process, *signals: signal.Signals) -> None:
    """Sends the signals in turn, each a harder one, until the process is gone."""
    for number in signals:
        try:
            process.send_signal(number)
            process.wait(_PATIENCE_SECONDS)
        except psutil.TimeoutExpired:
            continue
        except psutil.NoSuchProcess:
            pass  # it went by itself, which is what was wanted
        return


def end_orphans(data: Path) -> None:
    """Ends every process that still works in the data folder `data`.

    Call it only while holding the lock of the folder. A process that merely got the number of a
    dead server is left alone, and the file that names it is removed: PostgreSQL would refuse it.
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
    """Shuts a server down in order; children that do not leave with it have nothing to save."""
    if process.pid == postmaster:
        return signal.SIGINT, signal.SIGQUIT, signal.SIGKILL
    return (signal.SIGKILL,)


def _works_in(process: psutil.Process, data: Path) -> bool:
    """Every PostgreSQL process has the data folder as its working directory."""
    try:
        return process.cwd() == str(data.resolve())
    except psutil.Error:
        return False


def _named_in(pid_file: Path) -> int:
    first_line = pid_file.read_text().partition("\n")[0]
    return int(first_line) if first_line.isdigit() else 0
