"""A time budget that really stops the work: a signal whose handler raises something that no library catches."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class BudgetExceeded(BaseException):
    """Time is up. Not an `Exception`: Presidio catches those, skips the pattern and so fails open."""


@contextmanager
def cpu_budget(seconds: float) -> Iterator[None]:
    """Raise `BudgetExceeded` in the block once the process has used `seconds` of CPU time; other load on the machine does not count.

    Works in the main thread, where Python delivers signals: it stops `re`, `regex` and pure Python alike. In another thread the block
    runs without a limit of its own.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.getsignal(signal.SIGPROF)
    if previous is not _stop:
        signal.signal(signal.SIGPROF, _stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        if previous is not _stop:
            signal.signal(signal.SIGPROF, previous if previous is not None else signal.SIG_DFL)


def expect_budgets() -> None:
    """Install the handler for good, in a process that has nothing else to do: setting it for each text costs as much as a short text."""
    signal.signal(signal.SIGPROF, _stop)


def _stop(signum: int, frame: object) -> None:  # noqa: ARG001
    raise BudgetExceeded
