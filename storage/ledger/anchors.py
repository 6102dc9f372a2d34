"""Where the state of a log is known outside of this host: copies at a second location, cosignatures of witnesses, time-stamps.

Whoever owns this host owns its key and can sign any history. What has left the host stays: a rewritten log contradicts it, and what it
covers counts as anchored. A copy is a file of its own for each checkpoint, never written again, so that the second location can refuse
changes (object lock, a server that takes new names alone) and the collector needs no right to read or delete there:

    <location>/<origin>/<date>/<size>-<time>-<root>         size 20 digits, time unix seconds 10 digits, root in hex

The name says what the file holds: comparing all copies with a log takes a listing. Comparing only the newest would not do, since who
rewrites a log can add one that fits.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from storage.durable import DISK, FileSystem, hint_for, make_directory, write_all
from storage.ledger import cosigning, stamping
from storage.ledger.errors import LedgerError
from storage.ledger.log import Log
from storage.ledger.note import Checkpoint, VerifierKey, split
from storage.ledger.timestamp import load_roots

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem as ArrowFileSystem

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_NAME: Final = re.compile(r"(\d{20})-(\d{10})-([0-9a-f]{64})")
_AWS_ERROR: Final = re.compile(r"AWS Error ([A-Z_]+)")
_WRITE: Final = "copy a checkpoint to the second location"
_READ: Final = "read the checkpoints at the second location"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A state of a log that somebody outside knows: its log must have had this root at this size."""

    kind: str  # copy, witness or timestamp
    by: str  # the location, the witness's name, the authority's name
    size: int
    root: bytes = field(repr=False)
    time_s: int  # when it was known there, unix seconds


class Source(Protocol):
    """Where evidence comes from."""

    @property
    def name(self) -> str: ...

    def evidence(self, origin: str) -> Iterator[Evidence]:
        """Yield what is known of an origin's log. Raises `StorageError` when it cannot be read or is not valid, after all else was told."""
        ...

    def origins(self) -> list[str]:
        """Return the origins that are known there beside those that the lake tells of. Raises `StorageError`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where to look for evidence: second locations, keys of witnesses, the certificates of the time-stamping authority."""

    copies: tuple[str, ...] = ()
    witnesses: tuple[VerifierKey, ...] = ()
    authority_file: Path | None = None


def sources(data: Path, places: Places) -> list[Source]:
    """Return the sources of evidence about the logs of a data directory."""
    found: list[Source] = [Anchor(location) for location in places.copies]
    found += [Witnessed(data, key) for key in places.witnesses]
    return found if places.authority_file is None else [*found, Timestamps(data, places.authority_file)]


class Anchor:
    """A second location: a folder, or a URL that pyarrow's file systems know (`s3://…`, `gs://…`, `abfs://…`)."""

    def __init__(self, location: str, fs: FileSystem = DISK) -> None:
        self._location = location.removeprefix("file://")
        self._fs = fs

    @property
    def name(self) -> str:
        """The location without credentials and options."""
        if not self._is_url:
            return self._location
        parts = urlsplit(self._location)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def publish(self, origin: str, checkpoint: str, *, time_s: int) -> Checkpoint:
        """Write a copy of a checkpoint, durably; the same copy twice is one. `time_s` says when it was signed.

        Raises `LedgerError` when it cannot be written, `NoteError` when it is no checkpoint.
        """
        told = Checkpoint.parse(split(checkpoint)[0])
        date = datetime.fromtimestamp(time_s, UTC).date().isoformat()
        name = f"{told.size:020}-{time_s:010}-{told.root.hex()}"
        try:
            if self._is_url:
                self._put(f"{origin}/{date}/{name}", checkpoint.encode())
            else:
                self._create(Path(self._location) / origin / date / name, checkpoint.encode())
        except OSError as error:
            raise LedgerError(_WRITE, self.name, hint=self._hint(error)) from None
        return told

    def evidence(self, origin: str) -> Iterator[Evidence]:
        """Yield what each copy says, the oldest first, by its name alone. Raises `LedgerError` when the location cannot be read."""
        for date in self._dates(origin):
            for name in self._names(f"{origin}/{date}"):
                match = _NAME.fullmatch(name)
                if match is not None:
                    size, time_s, root = int(match[1]), int(match[2]), bytes.fromhex(match[3])
                    yield Evidence(kind="copy", by=self.name, size=size, root=root, time_s=time_s)

    def origins(self) -> list[str]:
        """Return the origins that have copies there. Raises `LedgerError` when the location cannot be read."""
        found = (f"{node}/{process}" for node in self._names("") for process in self._names(node))
        return [origin for origin in found if self._dates(origin)]

    def latest(self, origin: str) -> str | None:
        """Return the newest copy of an origin's checkpoint, unverified; None when there is none. Raises `LedgerError`."""
        for date in reversed(self._dates(origin)):
            for name in reversed([each for each in self._names(f"{origin}/{date}") if _NAME.fullmatch(each)]):
                return self._read(f"{origin}/{date}/{name}").decode("utf-8", "replace")
        return None

    @property
    def _is_url(self) -> bool:
        return "://" in self._location

    @cached_property
    def _store(self) -> "tuple[ArrowFileSystem, str]":
        """The object store and the prefix in it."""
        import pyarrow as pa
        from pyarrow.fs import FileSystem as ArrowFileSystem

        try:
            store, prefix = ArrowFileSystem.from_uri(_whole_objects(self._location))
        except (pa.ArrowException, ValueError) as error:
            hint = f"{type(error).__name__}: name a folder, or a URL such as s3://bucket/prefix?region=eu-central-1"
            raise LedgerError("open the second location", self.name, hint=hint) from None
        return store, prefix

    def _put(self, path: str, content: bytes) -> None:
        store, prefix = self._store
        if store.type_name in {"local", "hdfs"}:  # object stores have no folders to make
            store.create_dir(f"{prefix}/{path.rpartition('/')[0]}", recursive=True)
        with store.open_output_stream(f"{prefix}/{path}") as stream:
            stream.write(content)

    def _create(self, path: Path, content: bytes) -> None:
        """Write a new file under its own name: a folder that takes new names alone takes no renaming."""
        make_directory(path.parent, self._fs)
        try:
            descriptor = self._fs.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            if path.read_bytes() != content:
                raise LedgerError(_WRITE, path, hint="a crash left it behind, or somebody else writes there: it is left as it is") from None
            return
        try:
            write_all(self._fs, descriptor, content)
            self._fs.sync(descriptor)
        finally:
            self._fs.close(descriptor)
        self._fs.sync_directory(path.parent)

    def _dates(self, origin: str) -> list[str]:
        return [name for name in self._names(origin) if _DATE.fullmatch(name)]

    def _names(self, folder: str) -> list[str]:
        """Return the names in a folder, sorted; none when it is not there."""
        try:
            if not self._is_url:
                path = Path(self._location) / folder
                return sorted(each.name for each in path.iterdir()) if path.is_dir() else []
            from pyarrow.fs import FileSelector

            store, prefix = self._store
            found = store.get_file_info(FileSelector(f"{prefix}/{folder}".rstrip("/"), allow_not_found=True))
            return sorted(info.base_name for info in found)
        except OSError as error:
            raise LedgerError(_READ, self.name, hint=self._hint(error)) from None

    def _read(self, path: str) -> bytes:
        try:
            if not self._is_url:
                return (Path(self._location) / path).read_bytes()
            store, prefix = self._store
            with store.open_input_stream(f"{prefix}/{path}") as stream:
                return bytes(stream.read())
        except OSError as error:
            raise LedgerError(_READ, self.name, hint=self._hint(error)) from None

    def _hint(self, error: OSError) -> str:
        """Say what failed: the errors of object stores have no number, and a text that may hold addresses with credentials."""
        if error.errno is not None:
            return hint_for(error).replace("data directory", "folder")
        code = _AWS_ERROR.search(str(error))
        return f"{code[1] if code else type(error).__name__}: check its address, credentials and permissions"


def _whole_objects(location: str) -> str:
    """Have S3 objects written by one request each, which needs no more than the right to put them."""
    if not location.startswith("s3://") or "allow_delayed_open" in location:
        return location
    return f"{location}{'&' if '?' in location else '?'}allow_delayed_open=true"


class Witnessed:
    """The cosignatures of one witness, as they are kept beside the logs."""

    def __init__(self, data: Path, key: VerifierKey) -> None:
        self._data = data
        self._key = key

    @property
    def name(self) -> str:
        """The witness's name."""
        return self._key.name

    def evidence(self, origin: str) -> Iterator[Evidence]:
        """Yield the newest state that the witness cosigned. Raises `LedgerError` when the note was altered."""
        found = cosigning.newest(Log(self._data, origin), self._key)
        if found is not None:
            checkpoint = found.checkpoint
            yield Evidence(kind="witness", by=self.name, size=checkpoint.size, root=checkpoint.root, time_s=found.time_s)

    def origins(self) -> list[str]:
        """Return nothing: the notes stand beside the logs."""
        return []


class Timestamps:
    """The time-stamps of one authority, as they are kept beside the logs."""

    def __init__(self, data: Path, authority_file: Path) -> None:
        self._data = data
        self._authority_file = authority_file

    @property
    def name(self) -> str:
        """The file with the authority's certificates: their names stand in the time-stamps."""
        return str(self._authority_file)

    def evidence(self, origin: str) -> Iterator[Evidence]:
        """Yield what each valid time-stamp says, the oldest first. Raises `LedgerError` at the end when one is not."""
        for each in stamping.stamped(Log(self._data, origin), load_roots(self._authority_file)):
            checkpoint, time_s = each.checkpoint, int(each.timestamp.time.timestamp())
            yield Evidence(kind="timestamp", by=each.timestamp.authority, size=checkpoint.size, root=checkpoint.root, time_s=time_s)

    def origins(self) -> list[str]:
        """Return nothing: the time-stamps stand beside the logs."""
        return []
