"""Audit records that the collector could not take yet, encrypted on disk and sent until acknowledged.

A file is `AUDITLAKE-SPOOL-1\\n`, a 12-byte nonce, and the AES-256-GCM ciphertext of one OTLP request, bound to the file's own
name (so that files cannot be swapped). Plain text never reaches the disk, not even in a temporary file. The same bytes are
sent each time, so that the collector recognises a resend after a lost answer; therefore processes may share a directory.
"""

import logging
import os
import threading
import time
import uuid
from pathlib import Path
from typing import Any, Final

from auditlake._delivery import deliver
from auditlake._errors import AuditError, ConfigurationError
from auditlake._transport import Transport

_MAGIC: Final = b"AUDITLAKE-SPOOL-1\n"
_NONCE_BYTES: Final = 12
_LONGEST_PAUSE_SECONDS: Final = 30.0
_FINAL: Final = frozenset({"400", "413", "INVALID_ARGUMENT"})  # the collector will never take these bytes


class Spool:
    """A bounded, encrypted queue on disk, oldest first."""

    def __init__(self, directory: str | Path, key: bytes, *, transport: Transport, limit_bytes: int, timeout_seconds: float) -> None:
        """Use `directory`, created for this user alone; needs the extra `auditlake-sdk[spool]`."""
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError as error:
            raise ConfigurationError("open the spool", directory, hint="install it: pip install 'auditlake-sdk[spool]'") from error
        self._directory = Path(directory)
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError("create the spool", directory, hint="give a directory that this user may write to") from error
        self._cipher: Any = AESGCM(key)
        self._transport = transport
        self._limit_bytes = limit_bytes
        self._timeout_seconds = timeout_seconds
        self.reset()

    def reset(self) -> None:
        """Forget the thread, which a fork does not inherit."""
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._unreadable: set[str] = set()

    def __len__(self) -> int:
        """Return how many records wait."""
        return len(self._waiting())

    def put(self, payload: bytes) -> None:
        """Keep `payload` durably and encrypted, and send it in the background. Raises AuditError when full or not writable."""
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex}.spool"
        nonce = os.urandom(_NONCE_BYTES)
        sealed = _MAGIC + nonce + self._cipher.encrypt(nonce, payload, name.encode())
        with self._lock:
            if self._size() + len(sealed) > self._limit_bytes:
                hint = "it is full: bring the collector back, or raise spool_bytes of configure()"
                raise AuditError("keep the record in the spool", self._directory, hint=hint)
            try:
                self._write(name, sealed)
            except OSError as error:
                hint = f"it cannot be written ({type(error).__name__}): free space or correct its permissions"
                raise AuditError("keep the record in the spool", self._directory, hint=hint) from error
        self.resume()

    def resume(self) -> None:
        """Send in the background what waits, what an earlier process left included."""
        with self._lock:
            if self._waiting() and (self._thread is None or not self._thread.is_alive()) and not self._stop.is_set():
                self._thread = threading.Thread(target=self._drain, name="auditlake-spool", daemon=True)
                self._thread.start()

    def close(self, timeout_seconds: float) -> None:
        """Stop sending; what waits stays on disk, encrypted, for the next process."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout_seconds)

    def _drain(self) -> None:
        pause = 0.2
        while not self._stop.is_set():
            waiting = self._waiting()
            if not waiting:
                with self._lock:
                    if not self._waiting():
                        self._thread = None
                        break
                continue
            if all(self._send(path) for path in waiting if not self._stop.is_set()):
                pause = 0.2
            else:
                self._stop.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def _send(self, path: Path) -> bool:
        """Send one file and delete it once acknowledged; return whether the next may be tried at once."""
        payload = self._read(path)
        if payload is None:
            return True
        stop_at = time.monotonic() + self._timeout_seconds
        outcome = deliver(
            self._transport,
            "logs",
            payload,
            remaining=lambda: 0.0 if self._stop.is_set() else stop_at - time.monotonic(),
            wait=self._stop.wait,
        )
        if outcome.delivered and not outcome.rejected:
            path.unlink(missing_ok=True)
            return True
        if outcome.rejected or outcome.reason in _FINAL:
            self._set_aside(path, "the collector refuses it")
            return True
        return False

    def _read(self, path: Path) -> bytes | None:
        from cryptography.exceptions import InvalidTag

        try:
            sealed = path.read_bytes()
        except FileNotFoundError:  # another process was faster
            return None
        start = len(_MAGIC) + _NONCE_BYTES
        try:
            payload: bytes = self._cipher.decrypt(sealed[len(_MAGIC) : start], sealed[start:], path.name.encode())
        except (InvalidTag, ValueError):
            self._set_aside(path, "it cannot be decrypted: another key, or damaged")
            return None
        return payload

    def _set_aside(self, path: Path, why: str) -> None:
        """Leave a record alone that cannot be sent by this process: it stays on disk, still encrypted."""
        self._unreadable.add(path.name)
        logging.getLogger("auditlake").warning("auditlake keeps the spooled record %s unsent: %s", path.name, why)

    def _waiting(self) -> list[Path]:
        return sorted(path for path in self._directory.glob("*.spool") if path.name not in self._unreadable)

    def _size(self) -> int:
        total = 0
        for path in self._directory.glob("*.spool"):
            try:
                total += path.stat().st_size
            except FileNotFoundError:
                continue
        return total

    def _write(self, name: str, sealed: bytes) -> None:
        """Publish a file whole or not at all, durably."""
        temporary = self._directory / f".{name}.new"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(sealed)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._directory / name)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        folder = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
