"""One attempt to deliver has one deadline, however slowly a receiver answers: sockets bound each single wait alone."""

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def within(seconds: float, attempt: Callable[[], Result]) -> Result:
    """Return what `attempt` returns, or raise what it raises; TimeoutError when that takes longer.

    An attempt that is given up goes on in a thread that keeps nobody from exiting, and ends with its socket's own timeout.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(attempt())
        except BaseException as error:  # noqa: BLE001 - raised again below, in the thread that waits
            errors.append(error)

    thread = threading.Thread(target=run, name="attempt", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError
    return results[0]
