"""Attacks on single rows: the catalog is made to believe each of them, so that only the leaf hashes speak."""

import math
import unicodedata
from typing import Any, Final

from storage.ledger.verdicts import Verdict
from tests.lake_builder import Row, span
from tests.storage.ledger.tamper.attack import Attack
from tests.storage.ledger.tamper.tampered_lake import ORIGIN, Lake, own_salt

CALL: Final = (1, 0)  # entry and row of the model call, which has a value of every kind


def edited(what: str, place: tuple[int, int] = CALL, table: str = "spans", **columns: Any) -> Attack:
    """An attack that gives one row other values: the row is named."""
    entry, row = place

    def do(lake: Lake) -> None:
        lake.edit(entry, row, table, **columns)

    return Attack(what, do, Verdict.ALTERED, entry=entry, record_id=f"{ORIGIN}/{entry}/{row}")


def rewritten(
    what: str, entry: int, verdict: Verdict, change: Any, *, row: int | None = None, table: str = "spans", says: str = ""
) -> Attack:
    """An attack on the rows of the file that holds an entry."""

    def do(lake: Lake) -> None:
        lake.rewrite(lake.file(table, entry), change)

    return Attack(what, do, verdict, entry=entry, record_id=None if row is None else f"{ORIGIN}/{entry}/{row}", says=says)


def _changed(name: str, value: str) -> Any:
    return lambda pairs: [(key, value if key == name else old) for key, old in pairs]


def _swap(rows: list[Row]) -> None:
    """Two rows exchange their numbers, each keeps its salt."""
    one, two = [each for each in rows if each["entry"] == 0][:2]
    one["entry_row"], two["entry_row"] = two["entry_row"], one["entry_row"]


def _exchange(rows: list[Row]) -> None:
    """Two rows exchange everything but their place."""
    one, two = [each for each in rows if each["entry"] == 0][:2]
    for name in set(one) - {"entry", "entry_row"}:
        one[name], two[name] = two[name], one[name]


def _drop(rows: list[Row]) -> None:
    rows.remove(next(each for each in rows if (each["entry"], each["entry_row"]) == (0, 1)))


def _drop_last(rows: list[Row]) -> None:
    rows.remove(next(each for each in rows if (each["entry"], each["entry_row"]) == (0, 2)))


def _twice(rows: list[Row]) -> None:
    rows.append(dict(next(each for each in rows if (each["entry"], each["entry_row"]) == (0, 1))))


def _copied(rows: list[Row]) -> None:
    """A row stored again under the next number."""
    rows.append(next(each for each in rows if (each["entry"], each["entry_row"]) == (0, 1)) | {"entry_row": 3})


def _inserted(rows: list[Row]) -> None:
    rows.append(rows[0] | span("never happened", at=1) | {"entry": 0, "entry_row": 3, "salt": own_salt(9, 9)})


def _overwritten(rows: list[Row]) -> None:
    """A row in the place of another one."""
    first, second = [each for each in rows if each["entry"] == 0][:2]
    place = {name: second[name] for name in ("entry", "entry_row")}
    second |= first | place


def _moved(rows: list[Row]) -> None:
    """A row moves into another entry."""
    next(each for each in rows if (each["entry"], each["entry_row"]) == (0, 2))["entry"] = 1


def _nowhere(rows: list[Row]) -> None:
    """A row without a number."""
    next(each for each in rows if (each["entry"], each["entry_row"]) == (0, 2))["entry_row"] = None


ROW_ATTACKS: Final = (
    edited("a text", name="harmless"),
    edited("a text of another entry", (0, 2), name="harmless"),
    edited("a NULL becomes a text", status_message="denied"),
    edited("a text becomes NULL", actor=None),
    edited("an empty text becomes NULL", trace_state=None),
    edited("who did it", actor="eve"),
    edited("a letter that looks the same", (2, 2), name=lambda text: unicodedata.normalize("NFD", text)),
    edited("a value in a map", attributes=_changed("b", "three")),
    edited("an empty value in a map", attributes=_changed("c", "-")),
    edited("a key in a map", attributes=lambda pairs: [("z" if key == "a" else key, value) for key, value in pairs]),
    edited("a map entry more", attributes=lambda pairs: [*pairs, ("d", "4")]),
    edited("a map entry less", attributes=lambda pairs: pairs[:-1]),
    edited("map entries in another order", attributes=lambda pairs: pairs[::-1]),
    edited("an empty map becomes NULL", (1, 1), attributes=None),
    edited("a double's last digit", latency_ms=0.3),
    edited("a double's last bit", cost_usd=math.nextafter(0.1, 1)),
    edited("a zero's sign", (1, 1), eval_score=-0.0),
    edited("a count by one", input_tokens=lambda count: count + 1),
    edited("a time by a nanosecond", end_ns=lambda ns: ns + 1),
    edited("a boolean", eval_passed=False),
    edited("a text in a list of structs", events=lambda events: [events[0], events[1] | {"name": "third"}]),
    edited("a time in a list of structs", events=lambda events: [events[0] | {"time_ns": events[0]["time_ns"] + 1}, events[1]]),
    edited("an element of a list less", events=lambda events: events[:1]),
    edited("elements of a list in another order", events=lambda events: events[::-1]),
    edited("a row's salt", salt=own_salt(7, 7)),
    edited("a row without its salt", salt=None),
    edited("the run that a row is of", run_id="run-2"),
    edited("the tenant that a row is of", tenant="other"),
    edited("when a row was received", received_ns=lambda ns: ns - 1),
    edited("by which policy a row was redacted", policy_hash="lenient"),
    edited("how much was redacted", redactions=lambda pairs: [(key, count - 1) for key, count in pairs]),
    edited("a schema version", schema_version=3),
    edited("the body of a log record", (1, 3), "events", body="unsaid"),
    edited("the name of an event", (3, 1), "events", event_name="tock 1"),
    edited("a point's value", (4, 1), "metrics", value=math.nextafter(1 / 3, 0)),
    rewritten("two rows exchange their numbers", 0, Verdict.ALTERED, _swap, row=0),
    rewritten("two rows exchange their contents", 0, Verdict.ALTERED, _exchange, row=0),
    rewritten("a row in the place of another one", 0, Verdict.ALTERED, _overwritten, row=1),
    rewritten("a row dropped", 0, Verdict.MISSING, _drop, row=1),
    rewritten("the last row of an entry dropped", 0, Verdict.MISSING, _drop_last, row=2),
    rewritten("a row twice", 0, Verdict.EXTRA, _twice, row=1),
    rewritten("a row again under the next number", 0, Verdict.EXTRA, _copied, row=3),
    rewritten("a row inserted", 0, Verdict.EXTRA, _inserted, row=3),
    rewritten("a row moved into another entry", 0, Verdict.MISSING, _moved, row=2),
    rewritten("a row without a number", 0, Verdict.ALTERED, _nowhere),
)  # fmt: skip
