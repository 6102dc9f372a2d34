"""The state machine against a second reading of Prometheus' documented rules: not step by step, but from an alert's whole history.

A label set's history falls into spells. A spell begins with a row where there was none. It fires at the first row that comes `for` or
later after its beginning; before that, the first missing row ends it as if it had never been. Once it fires, it ends at the first
missing row that is `keep_firing_for` or later after the first of an unbroken series of missing rows. An ended spell that fired is
shown as resolved, for 15 minutes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.evaluate import RESOLVED_RETENTION, Alert, Sample, Waits, step

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NAMES = ("a", "b", "c")

History = Sequence[tuple[datetime, bool]]


@dataclass(frozen=True)
class Spell:
    begin: datetime
    fired: datetime | None
    ended: datetime | None


def first_spell(history: History, waits: Waits) -> Spell | None:
    """Return the first spell of a history."""
    times = [at for at, there in history if there]
    if not times:
        return None
    begin = times[0]
    missing = [at for at, there in history if not there and at > begin]
    fired = next((at for at in times if at - begin >= waits.wait), None)
    if missing and (fired is None or missing[0] < fired):
        return Spell(begin, None, missing[0])
    if fired is None:
        return Spell(begin, None, None)
    for at in (at for at in missing if at > fired):
        last_row = max(time for time in times if time < at)
        gone_since = min(time for time in missing if time > last_row)
        if at - gone_since >= waits.keep_firing_for:
            return Spell(begin, fired, at)
    return Spell(begin, fired, None)


def state(history: History, waits: Waits) -> str | None:
    """Return the state after a whole history, None when nothing is known of the label set."""
    shown: Spell | None = None
    while (spell := first_spell(history, waits)) is not None:
        shown = spell
        if spell.ended is None:
            break
        ended = spell.ended
        history = [(at, there) for at, there in history if at > ended]
        if spell.fired is None:
            shown = None
    if shown is None:
        return None
    if shown.ended is None:
        return "firing" if shown.fired else "pending"
    now = history[-1][0] if history else shown.ended
    return "resolved" if now - shown.ended <= RESOLVED_RETENTION else None


@settings(max_examples=200, deadline=None)
@given(
    wait=st.integers(0, 4),
    keep=st.integers(0, 4),
    evaluations=st.lists(st.tuples(st.sets(st.sampled_from(NAMES)), st.integers(1, 9)), max_size=40),
)
def test_every_step_agrees_with_the_whole_history(wait: int, keep: int, evaluations: list[tuple[set[str], int]]) -> None:
    waits = Waits(wait=wait * MINUTE, keep_firing_for=keep * MINUTE)
    alerts: Mapping[str, Alert] = {}
    seen: list[tuple[datetime, set[str]]] = []
    at = START
    for names, gap in evaluations:
        seen.append((at, names))
        alerts = step(alerts, [Sample(labels={"agent": name}, value=1.0, annotations={}) for name in names], waits, at=at).alerts
        expected = {name: state([(time, name in there) for time, there in seen], waits) for name in NAMES}
        assert {alert.labels["agent"]: str(alert.state) for alert in alerts.values()} == {
            name: word for name, word in expected.items() if word is not None
        }
        at += gap * MINUTE
