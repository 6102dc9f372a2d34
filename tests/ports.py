"""Ports for processes that must be told theirs beforehand."""

import random
import socket
from contextlib import ExitStack
from typing import Final

FIRST, LAST = 15_000, 32_000
"""Below those from which the kernel gives ports to whoever asks for any, and to connections: such a one would be taken meanwhile."""
_CHOICE: Final = random.SystemRandom()


def free_ports(count: int) -> list[int]:
    """Return different ports of 127.0.0.1 at which nobody listens."""
    with ExitStack() as bound:
        found: list[int] = []
        while len(found) < count:
            probe = bound.enter_context(socket.socket())
            port = _CHOICE.randrange(FIRST, LAST)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found.append(port)
        return found
