"""A thread that works in the background until it is stopped: what the couriers of receivers and of Alertmanagers have in common."""

import threading
from abc import ABC, abstractmethod


class Background(ABC):
    """Works in a thread of its own, which keeps nobody from exiting."""

    def __init__(self, name: str) -> None:
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def wake(self) -> None:
        """Say that there may be something to do."""
        self._wake.set()

    def request_stop(self) -> None:
        """Ask it to stop, so that several stop at the same time; `close` waits for it."""
        self._stop.set()
        self._wake.set()

    def close(self) -> None:
        """Stop after what is under way."""
        self.request_stop()
        if self._thread.is_alive():
            self._thread.join()

    @abstractmethod
    def _run(self) -> None:
        """Work until `_stop` is set; wait for `_wake`."""
