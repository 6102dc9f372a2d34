"""The processes that read files for a verification: what a damaged file does to a Parquet library ends one of them, and names the file.

They also use all cores, as most of the work holds an interpreter's lock. A file that was verified before and has not changed is read
here: its bytes have been read without harm.
"""

import pickle  # nosec B403 - of our own children alone
import queue
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import pyarrow as pa

from storage.errors import StorageError
from storage.layout import FileRecord, locate
from storage.ledger.footer import unreadable
from storage.ledger.verify_files import Asked, FileReader, FileRows, Gone, cannot_be_read, missing

_MAIN: Final = """
import sys
sys.path.insert(0, sys.argv[1])
from storage.light import without_pandas
without_pandas()
from storage.ledger.verify_workers import main
main()
"""
_COMMAND: Final = (sys.executable, "-c", _MAIN, str(Path(__file__).resolve().parents[2]))
_FAULTS: Final = frozenset({signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL})
"""What a file does to the process that reads it; whoever is killed otherwise was killed by somebody."""


class _Ended(Exception):
    """A process ended without an answer, or could not give one."""


class WorkerReader:
    """Reads files of a lake, each group in one of its processes; for several threads at once."""

    def __init__(self, data: Path, *, at_once: int) -> None:
        """`at_once`: so many processes start now."""
        self._data = data
        self._near = FileReader(data)
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        for _ in range(at_once):
            self._idle.put(_Worker(data))

    def close(self) -> None:
        """End the processes."""
        while not self._idle.empty():
            self._idle.get().end()

    def read(self, group: Sequence[Asked]) -> list[FileRows]:
        """As `FileReader.read`; a file that ends the process that reads it cannot be read. Raises `StorageError` when one is killed."""
        near = [self._near_by(each) for each in group]
        rows = {each.record.path: each for each in near if each is not None}
        rest = [each for each in group if each.record.path not in rows]
        rows |= {each.record.path: each for each in self._apart(rest)}
        return [rows[each.record.path] for each in group]

    def leaves(self, record: FileRecord) -> pa.Table:
        """As `FileReader.leaves`."""
        (found,) = self._apart([Asked(record=record)])
        if found.rows is None:
            raise unreadable(locate(self._data, record.path), record.table_name)
        return found.rows

    def _near_by(self, asked: Asked) -> FileRows | None:
        """What needs no process of its own to be said."""
        if asked.missing:
            return missing(asked.record)
        return None if asked.known is None else self._near.unchanged(asked)

    def _apart(self, group: Sequence[Asked]) -> list[FileRows]:
        if not group:
            return []
        try:
            worker = self._idle.get_nowait()
        except queue.Empty:
            worker = _Worker(self._data)
        try:
            answer = worker.ask(group)
        except _Ended as end:
            worker.end()
            if len(group) == 1:
                return [cannot_be_read(group[0].record, str(end))]
            return [rows for each in group for rows in self._apart([each])]
        except BaseException:
            worker.end()
            raise
        self._idle.put(worker)
        if isinstance(answer, Gone):
            raise answer
        return list(answer)


class _Worker:
    """One process."""

    def __init__(self, data: Path) -> None:
        command = (*_COMMAND, str(data.absolute()))
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._questions = cast("BinaryIO", self._process.stdin)
        self._answers = cast("BinaryIO", self._process.stdout)

    def ask(self, group: Sequence[Asked]) -> Any:
        """Return its answer, rows or `Gone`. Raises `_Ended`, `StorageError` when somebody killed it."""
        try:
            pickle.dump(list(group), self._questions)
            self._questions.flush()
            answer = pickle.load(self._answers)  # noqa: S301 - of our own process  # nosec B301 - written by our own child
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            raise self._ended() from None
        if isinstance(answer, str):
            raise _Ended(answer)
        return answer

    def _ended(self) -> _Ended:
        code = self._process.wait()
        if code < 0 and -code not in _FAULTS:
            hint = f"signal {-code} ended the process that read it: verify again, with fewer --jobs when memory is short"
            raise StorageError("verify", "files", hint=hint)
        return _Ended(f"it ends the process that reads it ({signal.Signals(-code).name if code < 0 else f'code {code}'})")

    def end(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        with suppress(BrokenPipeError):  # what was not read of a question is not wanted any more
            self._questions.close()
        self._answers.close()
        self._process.wait()


def main() -> None:
    """A process: groups of files come in, their rows go out, until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever interrupts the verification ends its processes
    answers = sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing else may be said there
    serve(FileReader(Path(sys.argv[2])), sys.stdin.buffer, answers)


def serve(reader: FileReader, questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer each group with its rows, with `Gone`, or with the name of what went wrong."""
    while True:
        try:
            group = pickle.load(questions)  # noqa: S301 - of the process that started this one  # nosec B301 - written by our own parent
        except EOFError:
            return
        try:
            answer: Any = reader.read(group)
        except Gone as gone:
            answer = gone
        except Exception as error:  # noqa: BLE001 - the edge of a process: its group is read file by file, and the file is named
            answer = type(error).__name__
        pickle.dump(answer, answers)
        answers.flush()
