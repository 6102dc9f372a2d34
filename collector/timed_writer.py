"""The WAL writer with a clock: how long appends take is the collector's own number, not the WAL's business."""

import time
from collections.abc import Callable, Sequence

from collector.committer import Writer
from storage.wal import RecordType


class TimedWriter:
    """A writer whose appends are timed: from the call, in the thread that writes, until the sync has returned."""

    def __init__(self, writer: Writer, committed: Callable[[float], None]) -> None:
        """`committed` is told the seconds of each append, in the thread that writes."""
        self._writer = writer
        self._committed = committed
        self.rotate = writer.rotate
        self.close = writer.close

    @property
    def entry(self) -> int:
        """As the writer's."""
        return self._writer.entry

    @property
    def size_bytes(self) -> int:
        """As the writer's."""
        return self._writer.size_bytes

    def append(self, records: Sequence[tuple[RecordType, bytes, bytes]]) -> None:
        """As the writer's; an append that fails is not counted."""
        begun = time.perf_counter()
        self._writer.append(records)
        self._committed(time.perf_counter() - begun)
