"""What a verifier remembers: the newest head of each log, the keys, and which files it has verified row by row.

Without memory the tail of a log can be cut off, or everything put back to yesterday, and what is left verifies: the older checkpoint was
signed too. So heads only ever grow here. Keep the file where those who can write the lake cannot write.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, Self

import orjson

from storage.durable import hint_for, write_file
from storage.ledger.errors import LedgerError

FORMAT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What was seen of one origin when it verified last."""

    size: int  # entries of the log
    root: str  # hex
    time_s: int = 0  # when that checkpoint was signed
    last: int | None = None  # number of the newest segment
    unledgered: int = 0  # rows without a log
    keys: tuple[str, ...] = ()  # verifier keys that were trusted


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFile:
    """A file all of whose rows were the committed ones."""

    sha256: str
    at_ns: int  # when that was found


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """What the last verification said of one origin: of segments `first` to `last`, apart from `bad`."""

    first: int
    last: int
    anchored: int | None = None  # the newest segment that a checkpoint elsewhere covers
    bad: tuple[tuple[int, int, str, str], ...] = ()  # first, last, verdict, detail: whatever is not VALID


@dataclass(slots=True, kw_only=True)
class State:
    """The memory of one verifier about one lake; changed in place, written by `save`."""

    path: Path | None = None
    data: str = ""
    heads: dict[str, Head] = field(default_factory=dict)
    files: dict[str, SeenFile] = field(default_factory=dict)
    spoken: dict[str, Spoken] = field(default_factory=dict)
    verified_ns: int | None = None  # when a verification ended last
    mode: str = ""
    ok: bool = False
    unfinished_ns: int | None = None  # when one began that did not end

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the state; a new one when there is no file. Raises `LedgerError` when it is not one: a memory is not guessed at."""
        try:
            found = orjson.loads(path.read_bytes())
            if found["format"] != FORMAT:
                raise ValueError(found["format"])
            return cls(
                path=path,
                data=found["data"],
                heads={origin: Head(**{**head, "keys": tuple(head["keys"])}) for origin, head in found["heads"].items()},
                files={name: SeenFile(sha256=seen[0], at_ns=seen[1]) for name, seen in found["files"].items()},
                spoken={origin: _spoken(said) for origin, said in found["spoken"].items()},
                **{name: found[name] for name in ("verified_ns", "mode", "ok", "unfinished_ns")},
            )
        except FileNotFoundError:
            return cls(path=path)
        except OSError as error:
            raise LedgerError("read the verifier's state", path, hint=hint_for(error)) from error
        except (ValueError, KeyError, TypeError, AttributeError):
            hint = "it is no state of `auditlake verify`: restore it; with another --state FILE nothing is remembered"
            raise LedgerError("read the verifier's state", path, hint=hint) from None

    def save(self) -> None:
        """Write the state, whole or not at all; does nothing for one without a file. Raises `LedgerError`."""
        if self.path is None:
            return
        content: dict[str, Any] = {name: getattr(self, name) for name in ("data", "verified_ns", "mode", "ok", "unfinished_ns")}
        content |= {
            "format": FORMAT,
            "heads": {origin: asdict(head) for origin, head in self.heads.items()},
            "files": {name: [seen.sha256, seen.at_ns] for name, seen in self.files.items()},
            "spoken": {origin: asdict(said) for origin, said in self.spoken.items()},
        }
        try:
            write_file(self.path, orjson.dumps(content, option=orjson.OPT_SORT_KEYS))
        except OSError as error:
            raise LedgerError("write the verifier's state", self.path, hint=hint_for(error)) from error

    def raise_head(self, origin: str, head: Head) -> None:
        """Remember a head that was verified; one that is older than what is remembered changes nothing."""
        known = self.heads.get(origin)
        if known is not None:
            if (head.size, head.time_s) < (known.size, known.time_s):
                return
            head = replace(head, keys=tuple(dict.fromkeys((*known.keys, *head.keys))))
        self.heads[origin] = head


def _spoken(said: Mapping[str, Any]) -> Spoken:
    if set(said) != {each.name for each in fields(Spoken)}:
        raise ValueError("not what a verification said")
    return Spoken(**{**said, "bad": tuple((each[0], each[1], each[2], each[3]) for each in said["bad"])})


def newest(paths: Iterable[Path]) -> State | None:
    """Return the state of the verification that ended last; files that are not there or no states say nothing."""
    found = []
    for path in paths:
        try:
            found.append(State.load(path))
        except LedgerError:
            continue
    return max((state for state in found if state.verified_ns), key=lambda state: state.verified_ns or 0, default=None)


def self_check_path(data: Path) -> Path:
    """Return where the collector's self-check remembers: beside the data, for whoever reads the lake."""
    return data / "verify.json"


def default_path(data: Path, environ: Mapping[str, str]) -> Path:
    """Return where the user's state about a lake is: below XDG_STATE_HOME, else ~/.local/state, by the lake's place.

    A user without a home has it in the data directory, where it remembers nothing that whoever restores the directory does not take back.
    """
    place = data.absolute().resolve()
    name = f"verify-{hashlib.sha256(os.fsencode(place)).hexdigest()[:16]}.json"
    wanted = Path(environ.get("XDG_STATE_HOME", ""))
    if wanted.is_absolute():  # others have to be ignored (XDG Base Directory Specification)
        return wanted / "auditlake" / name
    home = environ.get("HOME", "")
    return Path(home) / ".local" / "state" / "auditlake" / name if Path(home).is_absolute() else place / "verify-by-hand.json"
