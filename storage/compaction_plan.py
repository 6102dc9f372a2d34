"""Which files to merge: pure planning, by the time they were sealed.

A second's file becomes part of its minute's, that of its hour's, that of its day's, per table, date and origin, once the minute, hour
or day is over. A day of steady traffic thus leaves at most 23 + 60 + 60 files and what is not merged yet, whatever its rate, until
files reach `max_bytes`: those are left alone, as merging them would gain readers nothing.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from storage.layout import FileRecord, merged_path

MAX_BYTES: Final = 512 << 20
SETTLE_NS: Final = 3 * 1_000_000_000
"""How long after a minute's end its last seal is waited for; what comes later is merged one level up."""
_SECOND_NS: Final = 1_000_000_000
MINUTE: Final = 1
_WIDTH_NS: Final = {MINUTE: 60 * _SECOND_NS, 2: 3600 * _SECOND_NS, 3: 86_400 * _SECOND_NS}
LEVELS: Final = tuple(_WIDTH_NS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Files to replace by one of `level`: of one table, date and origin, in the order of their entries."""

    inputs: tuple[FileRecord, ...]
    level: int

    @property
    def path(self) -> str:
        """The live path of the output."""
        first = self.inputs[0]
        entries = (min(file.min_entry for file in self.inputs), max(file.max_entry for file in self.inputs))
        return merged_path(first.table_name, first.date, first.origin, entries, self.level)


def plan(files: Sequence[FileRecord], now_ns: int, *, max_bytes: int = MAX_BYTES) -> list[Merge]:
    """The merges due at `now_ns` among the live `files`; no file is in two of them.

    The largest complete span of time wins, so that what piled up is merged once; but where merging kept up, an hour waits for its last
    minute, which is soon done, so that its seconds do not stand beside those of the next while the hour is merged. Files from half of
    `max_bytes` on are finished.
    """
    open_files = [file for file in files if file.bytes * 2 < max_bytes]
    merges: list[Merge] = []
    for level in sorted(_WIDTH_NS, reverse=True):
        groups: dict[tuple[str, str, str, int], list[FileRecord]] = defaultdict(list)
        rest: list[FileRecord] = []
        for file in open_files:
            period = file.sealed_ns // _WIDTH_NS[level]
            complete = (period + 1) * _WIDTH_NS[level] + SETTLE_NS <= now_ns
            if complete and file.level < level:
                groups[file.table_name, file.date, file.origin, period].append(file)
            else:
                rest.append(file)
        for group in groups.values():
            if _waits(group, level, max_bytes):
                rest += group
            else:
                merges.extend(Merge(inputs=inputs, level=level) for inputs in _mergeable(group, max_bytes))
        open_files = rest
    return merges


def first_due(files: Sequence[FileRecord], *, max_bytes: int = MAX_BYTES) -> int | None:
    """When the first of the merges among the live `files` was due, or will be, unix ns; None when nothing can be merged.

    From then on until it is done, `plan` has merges: a compactor that runs leaves no such time long in the past.
    """
    due: list[int] = []
    for level, width in _WIDTH_NS.items():
        groups: dict[tuple[str, str, str, int], list[FileRecord]] = defaultdict(list)
        for file in files:
            if file.level < level and file.bytes * 2 < max_bytes:
                groups[file.table_name, file.date, file.origin, file.sealed_ns // width].append(file)
        due += [(key[-1] + 1) * width + SETTLE_NS for key, group in groups.items() if _mergeable(group, max_bytes)]
    return min(due, default=None)


def _waits(group: Sequence[FileRecord], level: int, max_bytes: int) -> bool:
    """Whether a part of a complete span was merged, and another can be: what is left of it is little then."""
    if level == MINUTE or all(file.level < level - 1 for file in group):
        return False
    parts: dict[int, list[FileRecord]] = defaultdict(list)
    for file in group:
        if file.level < level - 1:
            parts[file.sealed_ns // _WIDTH_NS[level - 1]].append(file)
    return any(_mergeable(part, max_bytes) for part in parts.values())


def _mergeable(group: Sequence[FileRecord], max_bytes: int) -> list[tuple[FileRecord, ...]]:
    """What of a group of files becomes one file each."""
    return [inputs for inputs in _bins(sorted(group, key=lambda file: file.min_entry), max_bytes) if len(inputs) > 1]


def _bins(files: Sequence[FileRecord], max_bytes: int) -> Iterator[tuple[FileRecord, ...]]:
    """Consecutive files of at most `max_bytes` together."""
    chosen: list[FileRecord] = []
    size = 0
    for file in files:
        if chosen and size + file.bytes > max_bytes:
            yield tuple(chosen)
            chosen, size = [], 0
        chosen.append(file)
        size += file.bytes
    if chosen:
        yield tuple(chosen)
