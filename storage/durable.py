"""What makes a change of the disk durable: the file-system calls we depend on, publish by rename, and locks.

Every writer of `storage` reaches the disk through a `FileSystem`, so that tests can make any single call fail. A failed
`fdatasync` is never retried: the kernel may have dropped the dirty pages and a second call would report success (the
"fsyncgate" of 2018). A name exists durably only once its directory was synced.
"""

import contextlib
import errno
import fcntl
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Protocol, Self

from storage.errors import LakeLocked, StorageError


class FileSystem(Protocol):
    """The calls that can fail and that durability depends on. All raise `OSError`."""

    def open(self, path: Path, flags: int) -> int: ...
    def write(self, descriptor: int, data: bytes | memoryview) -> int: ...
    def sync(self, descriptor: int) -> None: ...
    def sync_directory(self, path: Path) -> None: ...
    def truncate(self, descriptor: int, size_bytes: int) -> None: ...
    def close(self, descriptor: int) -> None: ...
    def replace(self, source: Path, target: Path) -> None: ...
    def unlink(self, path: Path) -> None: ...


class Disk:
    """The real file system."""

    def open(self, path: Path, flags: int) -> int:
        return os.open(path, flags, 0o640)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        return os.write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        if sys.platform == "darwin":  # fsync there leaves the data in the drive's cache
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        else:
            os.fdatasync(descriptor)

    def sync_directory(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        os.ftruncate(descriptor, size_bytes)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        source.replace(target)

    def unlink(self, path: Path) -> None:
        path.unlink()


DISK: Final[FileSystem] = Disk()


def created(path: Path, fs: FileSystem = DISK) -> BinaryIO:
    """Return a new file at `path`, in place of one of that name, to be read and written; who closes it syncs it before. Raises OSError."""
    return os.fdopen(fs.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), "r+b")


def write_all(fs: FileSystem, descriptor: int, data: bytes | memoryview) -> None:
    """Write all of `data`: the kernel may take less than it was given. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[fs.write(descriptor, view) :]


def make_directory(path: Path, fs: FileSystem = DISK) -> None:
    """Create `path` and its missing parents, each durably entered in its own parent. Raises OSError."""
    if path.is_dir():
        return
    make_directory(path.parent, fs)
    path.mkdir(exist_ok=True)
    fs.sync_directory(path.parent)


def publish(source: Path, target: Path, fs: FileSystem = DISK) -> None:
    """Give the already synced file `source` the name `target`; after a crash the whole old or the whole new file stands there."""
    publish_all([(source, target)], fs)


def publish_all(renames: Sequence[tuple[Path, Path]], fs: FileSystem = DISK) -> None:
    """Give already synced files (source, target) their names: all durable on return, and after a crash before it any of them.

    Each folder is synced once, behind the last rename: a journal of the disk then commits them together.
    """
    for _, target in renames:
        make_directory(target.parent, fs)
    for source, target in renames:
        fs.replace(source, target)
    for folder in dict.fromkeys(target.parent for _, target in renames):
        fs.sync_directory(folder)


def stage_file(target: Path, content: bytes, fs: FileSystem = DISK) -> Path:
    """Write the content of a small file durably beside its name, and return where: ready for `publish`. Raises OSError."""
    make_directory(target.parent, fs)
    temporary = target.with_name(target.name + ".tmp")
    descriptor = fs.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        write_all(fs, descriptor, content)
        fs.sync(descriptor)
    finally:
        fs.close(descriptor)
    return temporary


def write_file(target: Path, content: bytes, fs: FileSystem = DISK) -> None:
    """Write a small file whole or not at all, durably. Raises OSError."""
    publish(stage_file(target, content, fs), target, fs)


def hint_for(error: OSError) -> str:
    """The operator's remedy for a failed call of the file system."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "the disk is full: free space or lower retention"
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return "the data directory is not writable: check its owner and mount"
    if error.errno == errno.EIO:
        return "the disk reports an I/O error: check it before restarting"
    return f"{error.strerror or type(error).__name__}: check the data directory, then restart"


class FileLock:
    """An exclusive `flock` on a file that names its holder's pid; the kernel drops it when the process dies, however it dies."""

    def __init__(self, path: Path, purpose: str) -> None:
        """Take the lock now or raise `LakeLocked`, naming who has it; `purpose` says what was attempted."""
        self.path = path
        try:
            make_directory(path.parent)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
        except OSError as error:
            raise StorageError(purpose, path, hint=hint_for(error)) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise LakeLocked(purpose, path, hint=f"process {holder} holds it: stop that process or use another data directory") from error
        with contextlib.suppress(OSError):  # for people: a full disk must not keep who would free it from its work
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the lock back; the file stays, so that no second file of the same name can be locked beside it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


def held_here(locks: Iterable[Path]) -> bool:
    """Whether a live process of this machine holds the `flock` on one of these files; False also where the system does not tell.

    Nothing is taken to find out: a process that starts in this instant must not find its lock held by who only asked.
    """
    try:
        held = {fields[5] for line in Path("/proc/locks").read_text(encoding="ascii").splitlines() if "FLOCK" in (fields := line.split())}
    except OSError:
        return False
    for path in locks:
        with contextlib.suppress(FileNotFoundError):
            status = path.stat()
            if f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}" in held:
                return True
    return False
