"""What lies beside the lake and may hold rows that were erased: damaged bytes of the WAL and batches that no decoder understood.

Nobody can tell their rows apart, so a file goes whole: when it names whom the order is about, and when it is of an entry of which rows were
erased.
"""

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from storage.durable import DISK, FileSystem
from storage.person import STORED, written

_NAME: Final = re.compile(r"(?P<origin>.+)-(?P<entry>\d{12,})-.*\.bin")
_ID: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{16}")
_LEAST: Final = 4  # characters of a name that is looked for in bytes


def quarantined(data: Path, entries: Collection[tuple[str, int]], names: Sequence[str]) -> list[Path]:
    """Return the quarantined files that may hold what was erased."""
    texts = {text for name in names for text in _texts(name)}
    ids = {bytes.fromhex(name) for name in names if _ID.fullmatch(name)}
    found = []
    for path in sorted((data / "quarantine").glob("*.bin")):
        named = _NAME.fullmatch(path.name)
        of_entry = named is not None and (named["origin"].replace("~", "/"), int(named["entry"])) in entries
        if of_entry or _holds(path, texts, ids):
            found.append(path)
    return found


def remove_quarantined(paths: Sequence[Path], fs: FileSystem = DISK) -> None:
    """Delete quarantined files with what says why they are there, durably. Raises OSError."""
    for path in paths:
        for each in (path, path.with_suffix(".json")):
            if each.exists():
                fs.unlink(each)
    for folder in {path.parent for path in paths}:
        fs.sync_directory(folder)


def _texts(name: str) -> list[str]:
    if stored := STORED.fullmatch(name):
        return [stored["digits"]]
    return [form.casefold() for form in written(name)] if len(name) >= _LEAST else []


def _holds(path: Path, texts: Collection[str], ids: Collection[bytes]) -> bool:
    """Whether bytes of OTLP name somebody; ids are bytes there."""
    content = path.read_bytes()
    readable = content.decode("utf-8", "replace").casefold()
    return any(text in readable for text in texts) or any(each in content for each in ids)
