"""Replays: what a rule would have said over a time that has passed."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from alerts.replay import Firing, Replay, firings, past_instants, settle
from alerts.rules import LoadedGroup, load_rules
from storage.damage import Damage
from storage.errors import StorageError
from tests.alerts.fakes import START, as_it_is

MINUTE = timedelta(minutes=1)
EXPR = "SELECT agent, value FROM down WHERE at = $eval_ts"


class History:
    """A lake in which an agent was down in the given minutes after START; asking for minute 5 fails where it says so."""

    damaged: Sequence[Damage] = ()

    def __init__(self, *down: int, fails_at: int | None = None) -> None:
        self._down = down
        self._fails_at = fails_at
        self.clock: list[datetime] = []

    def query(self, text: str, *, params: Mapping[str, Any] | None = None, **_: Any) -> pa.Table:
        minute = ((params or {})["eval_ts"].replace(tzinfo=UTC) - START) // MINUTE
        if minute == self._fails_at:
            raise StorageError("read the lake", "here", hint="no")
        found = [{"agent": "a", "value": float(minute)}] if minute in self._down else []
        return pa.Table.from_pylist(found) if found else pa.table({"value": pa.array([], pa.float64())})

    def remember(self, recordings: pa.Table, *, since: datetime) -> None:
        raise AssertionError("nothing is recorded here")


def group(folder: Path, said: str) -> LoadedGroup:
    path = folder / "rules.yaml"
    path.write_text(f"groups: [{{name: g, interval: 1m, rules: [{{alert: Down, expr: '{EXPR}'{said}}}]}}]")
    [loaded] = load_rules([path])
    return loaded


def fired(lake: History, loaded: LoadedGroup, *, since: int, until: int, every: int = 1) -> tuple[list[tuple[int, int, int | None]], int]:
    """Return when each alert was pending, fired and resolved, in minutes, and how many evaluations failed."""
    failed: list[object] = []
    begin, end = START + since * MINUTE, START + until * MINUTE
    instants = past_instants(loaded, since=begin, until=end, every=every * MINUTE)
    replay = Replay(lake, clean=as_it_is, set_clock=lake.clock.append)
    found = firings(replay, loaded, [(at, at) for at in instants], since=begin, failed=lambda rule, error: failed.append(error))
    return [times(firing) for firing in found], len(failed)


def times(firing: Firing) -> tuple[int, int, int | None]:
    alert = firing.alert
    assert alert.fired_at is not None
    moments = (alert.active_at, alert.fired_at, firing.resolved_at)
    return tuple(None if moment is None else (moment - START) // MINUTE for moment in moments)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("said", "down", "since", "expected"),
    [
        ("", (), 0, []),
        ("", (3, 4, 5), 0, [(3, 3, 6)]),
        ("", (3, 7, 8), 0, [(3, 3, 4), (7, 7, 9)]),
        (", for: 2m", (3, 4, 5, 6, 9, 10), 0, [(3, 5, 7)]),
        (", for: 2m, keep_firing_for: 3m", (3, 4, 5, 7), 0, [(3, 5, 11)]),
        ("", (10, 11, 12), 0, [(10, 10, None)]),
        ("", (1, 2), 5, []),
        (", for: 3m", (3, 4, 5, 6, 7), 5, [(3, 6, 8)]),
        (", for: 1m, keep_firing_for: 2m", (2, 3), 5, [(2, 3, 6)]),
    ],
)
def test_when_an_alert_would_have_fired_and_resolved(
    tmp_path: Path, said: str, down: tuple[int, ...], since: int, expected: list[tuple[int, int, int | None]]
) -> None:
    """Minutes: pending, fired, resolved. What was true before the beginning counts, as far as the waits reach back."""
    assert fired(History(*down), group(tmp_path, said), since=since, until=12) == (expected, 0)


def test_longer_steps_see_less(tmp_path: Path) -> None:
    assert fired(History(3, 4, 6, 7, 8, 9), group(tmp_path, ""), since=0, until=12, every=5) == ([], 0)
    assert fired(History(3, 4, 5, 10), group(tmp_path, ""), since=0, until=12, every=5) == ([(5, 5, None)], 0)


def test_an_evaluation_that_fails_changes_nothing_and_is_told(tmp_path: Path) -> None:
    assert fired(History(3, 4, 6, fails_at=5), group(tmp_path, ""), since=0, until=12) == ([(3, 3, 7)], 1)


def test_the_clock_of_the_lake_is_the_instant(tmp_path: Path) -> None:
    lake = History()
    fired(lake, group(tmp_path, ""), since=0, until=2)
    assert lake.clock == [START, START + MINUTE, START + 2 * MINUTE]


def test_the_present_state_is_that_after_its_waits(tmp_path: Path) -> None:
    """Of a rule with `for: 5m`, five evaluations before tell whether it fires now."""
    loaded = group(tmp_path, ", for: 5m")
    for down, expected in (((5, 6, 7, 8, 9, 10), "firing"), ((6, 7, 8, 9, 10), "pending"), ((5, 6, 8, 9, 10), "pending")):
        replay = Replay(History(*down), clean=as_it_is)
        at = START + 10 * MINUTE
        settle(replay, loaded.rules[0], at=at, eval_ts=at, interval=MINUTE)
        assert [str(alert.state) for alert in replay.alerts(loaded.rules[0]).values()] == [expected]
