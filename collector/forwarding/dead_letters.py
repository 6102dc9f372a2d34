"""What a backend refused for good: the request as it was sent, with a JSON beside it that says why; the oldest go when it is too much."""

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from collector.forwarding.answers import Answer
from collector.forwarding.requests import Outgoing
from storage.durable import DISK, FileSystem, hint_for, write_file
from storage.errors import StorageError
from storage.layout import origin_name
from storage.wal import Segment

FOLDER: Final = "dead-letters"
MOST_TEXT_CHARS: Final = 500
MOST_LETTERS: Final = 1000
"""However small they are: a backend that refuses everything would fill the disk with names."""


class Letter(NamedTuple):
    """One request that will not be sent again."""

    segment: Segment
    request: Outgoing
    answer: Answer


class DeadLetters:
    """The folder of one exporter, holding at most `max_bytes` in `MOST_LETTERS`."""

    def __init__(self, folder: Path, max_bytes: int, fs: FileSystem = DISK) -> None:
        self._folder = folder / FOLDER
        self._max_bytes = max_bytes
        self._fs = fs

    def keep(self, letter: Letter, secrets: tuple[str, ...] = ()) -> Path | None:
        """Keep a request (it is redacted) and the answer to it, from which `secrets` are taken out, and return where; None when it is too
        large. Raises `StorageError`.
        """
        segment, request, answer = letter.segment, letter.request, letter.answer
        if len(request.body) > self._max_bytes:
            return None
        digest = hashlib.sha256(request.body).hexdigest()
        name = f"{origin_name(segment.origin)}-{segment.entry:012d}-{request.signal.name}-{digest[:16]}"
        message = answer.message[:MOST_TEXT_CHARS]
        for secret in secrets:
            message = message.replace(secret, "…")
        why = {
            "origin": segment.origin,
            "entry": segment.entry,
            "signal": request.signal.name,
            "records": request.records,
            "rejected": answer.rejected or request.records,
            "reason": answer.reason,
            "message": message,
            "sha256": digest,
        }
        path = self._folder / f"{name}.pb"
        try:
            write_file(path, request.body, self._fs)
            write_file(path.with_suffix(".json"), orjson.dumps(why, option=orjson.OPT_INDENT_2), self._fs)
            self._trim()
        except OSError as error:
            raise StorageError("keep what a backend refused", self._folder, hint=hint_for(error)) from error
        return path

    def drop(self, path: Path) -> None:
        """Delete a letter, durably. Raises `StorageError`."""
        try:
            for each in (path, path.with_suffix(".json")):
                with suppress(FileNotFoundError):
                    self._fs.unlink(each)
            self._fs.sync_directory(self._folder)
        except OSError as error:
            raise StorageError("delete what a backend refused", path, hint=hint_for(error)) from error

    def _trim(self) -> None:
        found: list[tuple[int, int, Path]] = []
        for path in self._folder.glob("*.pb"):
            with suppress(FileNotFoundError):  # erased just now
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, path))
        size_bytes, letters = sum(size for _, size, _ in found), len(found)
        for _, size, path in sorted(found):
            if size_bytes <= self._max_bytes and letters <= MOST_LETTERS:
                return
            path.with_suffix(".json").unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            size_bytes, letters = size_bytes - size, letters - 1
