"""Messages over a pipe: four bytes of length, then marshal (both ends are the same interpreter; lone surrogates survive; no code runs)."""

import marshal
import os
import select
import struct
import time
from typing import Any, Final

_LENGTH: Final = struct.Struct(">I")
_READ_BYTES: Final = 1 << 16


class PipeLost(Exception):
    """The other end is gone, or what it says makes no sense."""


class PipeTimeout(Exception):
    """The other end did not answer in time."""


class Pipe:
    """One end of a pair of pipes. Not thread-safe."""

    def __init__(self, reading: int, writing: int) -> None:
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        self._reading = reading
        self._writing = writing
        self._received = bytearray()

    def send(self, message: Any, *, deadline: float | None = None) -> None:
        """Write one message. Raises `PipeLost`, or `PipeTimeout` at `deadline` (on the monotonic clock)."""
        body = marshal.dumps(message)
        rest = memoryview(_LENGTH.pack(len(body)) + body)
        while rest:
            try:
                rest = rest[os.write(self._writing, rest) :]
            except BlockingIOError:
                _wait(self._writing, select.POLLOUT, deadline)
            except OSError as error:
                raise PipeLost from error

    def readable(self, seconds: float) -> bool:
        """Wait up to `seconds` for the beginning of a message, or for the end of the stream."""
        if self._received:
            return True
        try:
            _wait(self._reading, select.POLLIN, time.monotonic() + seconds)
        except PipeTimeout:
            return False
        return True

    def receive(self, *, deadline: float | None = None) -> Any:
        """Return the next message. Raises `PipeLost` at the end of the stream, `PipeTimeout` at `deadline`."""
        length = _LENGTH.unpack(self._take(_LENGTH.size, deadline))[0]
        try:  # marshal is safe here: the other end is our own process, the pipe is private
            return marshal.loads(self._take(length, deadline))  # noqa: S302  # nosec B302
        except (EOFError, ValueError, TypeError) as error:
            raise PipeLost from error

    def _take(self, count: int, deadline: float | None) -> bytes:
        while len(self._received) < count:
            try:
                data = os.read(self._reading, max(_READ_BYTES, min(count, 1 << 22)))
            except BlockingIOError:
                _wait(self._reading, select.POLLIN, deadline)
                continue
            except OSError as error:
                raise PipeLost from error
            if not data:
                raise PipeLost
            self._received += data
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken


def _wait(descriptor: int, event: int, deadline: float | None) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    if deadline is None:
        poll.poll()
    elif not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise PipeTimeout
