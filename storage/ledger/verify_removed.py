"""The rows that may be gone: those that an order erased or that expired, as the log has it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storage.ledger import tombstones
from storage.ledger.errors import LedgerError
from storage.ledger.verdicts import Finding, Verdict


@dataclass(frozen=True, slots=True)
class Stone:
    """A removed row: the hash that stays of it, and the order that removed it."""

    leaf: bytes | None
    order: str
    verdict: Verdict  # ERASED or EXPIRED


@dataclass(slots=True)
class Removed:
    """What the log of one origin says was removed."""

    stones: dict[tuple[str, int], dict[int, Stone]] = field(default_factory=lambda: defaultdict(dict))
    expired: dict[str, list[tuple[int, int, str]]] = field(default_factory=lambda: defaultdict(list))  # first, last, order
    findings: list[Finding] = field(default_factory=list)

    def of(self, table: str, entry: int) -> Mapping[int, Stone]:
        """Return the removed rows of an entry and table, by their numbers."""
        return self.stones.get((table, entry), {})

    def expired_by(self, table: str, entry: int) -> str | None:
        """Return the order by which all of an entry's rows of a table expired."""
        return next((order for first, last, order in self.expired.get(table, ()) if first <= entry <= last), None)


def read_removed(folder: Path, origin: str, entries: Iterable[tuple[int, Mapping[str, Any]]]) -> Removed:
    """Collect what was removed; a file of tombstones that is gone or altered is a finding, and its rows count as missing."""
    removed = Removed()
    for index, entry in entries:
        if entry.get("kind") not in {"erasure", "expiry"}:
            continue
        verdict = Verdict.ERASED if entry["kind"] == "erasure" else Verdict.EXPIRED
        try:
            _take(removed, folder, entry, verdict)
        except LedgerError as error:
            gone = isinstance(error.__cause__, FileNotFoundError)
            removed.findings.append(
                Finding(
                    origin=origin,
                    verdict=Verdict.MISSING if gone else Verdict.ALTERED,
                    order=str(entry.get("order")),
                    path=f"ledger/{origin}/{entry['tombstones']['path']}",
                    detail=f"the tombstones of log entry {index}: {error.hint}",
                )
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            removed.findings.append(Finding(origin=origin, verdict=Verdict.ALTERED, detail=f"log entry {index} is not readable"))
    return removed


def _take(removed: Removed, folder: Path, entry: Mapping[str, Any], verdict: Verdict) -> None:
    order = str(entry["order"])
    for table, pairs in entry.get("entries", {}).items():
        removed.expired[table] += [(int(first), int(last), order) for first, last in pairs]
    named = tombstones.file_of(entry)
    if named is None:
        return
    for stone in list(tombstones.read(folder, named)):  # all of the file or nothing
        removed.stones[str(stone.table), int(stone.entry)][int(stone.row)] = Stone(stone.leaf, order, verdict)
