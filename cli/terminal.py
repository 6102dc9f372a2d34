"""SIGHUP has two meanings: `kill -HUP` asks for a reload, and a terminal that is closed wants its processes to end."""

import os
import signal
import sys


class Terminal:
    """The terminal that a process was started on, if any."""

    def __init__(self) -> None:
        self._descriptor = sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None

    @property
    def gone(self) -> bool:
        """Whether there was a terminal, and it was closed."""
        return self._descriptor is not None and not os.isatty(self._descriptor)

    def stop_when_gone(self) -> None:
        """Stop this process, as SIGTERM does, when its terminal was closed."""
        if self.gone:
            os.kill(os.getpid(), signal.SIGTERM)
