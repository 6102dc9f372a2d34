"""Silences and acknowledgements: what they are, and the commands that make and end them. Their effect: routing_conformance.yaml."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from alerts.acks import Acks, firing_alert
from alerts.errors import AlertsError
from alerts.listing import list_alerts
from alerts.silences import RETENTION, Silence, Silences, SilenceState, expired, muting, new_silence
from alerts.state import FILE_NAME, AlertStore
from alerts.tables import METADATA, SCHEMA_VERSION
from cli.commands import alerts_silences
from storage.catalog import Catalog
from storage.lake import Lake
from tests.alerts.configured import configured
from tests.alerts.fakes import START, Process

HOUR = timedelta(hours=1)


def silence(*matchers: str, begins: timedelta = timedelta(), ends: timedelta = HOUR) -> Silence:
    return new_silence(matchers or ["a=1"], starts_at=START + begins, ends_at=START + ends, created_by="kim", comment="why", now=START)


def test_a_silence_is_pending_then_active_then_expired() -> None:
    """`silence.getState`: both ends belong to it."""
    made = silence(begins=HOUR, ends=2 * HOUR)
    second = timedelta(seconds=1)
    found = [made.state(START + at) for at in (HOUR - second, HOUR, 2 * HOUR, 2 * HOUR + second)]
    assert found == [SilenceState.PENDING, SilenceState.ACTIVE, SilenceState.ACTIVE, SilenceState.EXPIRED]


def test_a_silence_never_begins_in_the_past() -> None:
    assert silence(begins=-HOUR).starts_at == START


@pytest.mark.parametrize(
    ("matchers", "ends", "comment", "said"),
    [
        (["a=~.*"], HOUR, "why", "one matcher at least must ask for something"),
        (["a=~x?", 'b=""'], HOUR, "why", "one matcher at least must ask for something"),
        ([], HOUR, "why", "one matcher at least must ask for something"),
        (["a"], HOUR, "why", "write it like severity="),
        (["a=1"], timedelta(), "why", "give a later one"),
        (["a=1"], -HOUR, "why", "give a later one"),
        (["a=1"], HOUR, " ", "--comment"),
    ],
)
def test_a_silence_that_makes_no_sense_is_refused(matchers: list[str], ends: timedelta, comment: str, said: str) -> None:
    """`silence.validateSilence`."""
    with pytest.raises(AlertsError) as caught:
        new_silence(matchers, starts_at=START - 2 * HOUR, ends_at=START + ends, created_by="kim", comment=comment, now=START)
    assert said in caught.value.hint


@pytest.mark.parametrize("matcher", ["a=1", "a=~.+", "a!=1", "a!~1|2", 'a!=""'])
def test_a_silence_may_consist_of_what_it_does_not_want(matcher: str) -> None:
    """`silence.matchesEmpty`: only `=` and `=~` can ask for nothing."""
    assert str(silence(matcher).matchers[0]).startswith("a")


@pytest.mark.parametrize(("begins", "now"), [(timedelta(), HOUR / 2), (HOUR / 2, timedelta()), (timedelta(), 2 * HOUR)])
def test_a_silence_ends_when_it_is_expired(begins: timedelta, now: timedelta) -> None:
    """`silence.Silences.expire`: an active one ends now, a pending one never begins, an expired one stays as it is."""
    made = silence(begins=begins)
    ended = expired(made, START + now)
    assert ended.state(START + now + timedelta(microseconds=1)) is SilenceState.EXPIRED
    assert ended.starts_at <= ended.ends_at <= made.ends_at
    assert (ended is made) == (now > HOUR)


def test_what_mutes_an_alert_is_named() -> None:
    one, two = silence("a=1"), silence("b=1", begins=HOUR / 2)
    assert muting([one, two], {"a": "1", "b": "1"}, START) == one.id
    assert muting([one, two], {"b": "1"}, START) is None
    assert muting([one, two], {"b": "1"}, START + HOUR / 2) == two.id


def test_silences_are_found_by_the_beginning_of_their_id_and_forgotten_after_retention(tmp_path: Path) -> None:
    store = AlertStore.open(tmp_path)
    silences = Silences(store)
    made = silence('alertname="A b"', 'x=~"1|2"')
    silences.add(made)
    assert silences.get(made.id[:6]) == made
    ended, changed = silences.expire(made.id, START + HOUR / 2)
    assert (ended.ends_at, changed) == (START + HOUR / 2, True)
    assert silences.expire(made.id, START + HOUR)[1] is False
    assert silences.active(START + HOUR) == []
    for name in ("", "none"):
        with pytest.raises(AlertsError):
            silences.get(name)
    silences.prune(ended.ends_at + RETENTION)
    assert silences.all() == [ended]
    silences.prune(ended.ends_at + RETENTION + timedelta(seconds=1))
    assert silences.all() == []
    store.close()


def test_an_acknowledgement_is_of_one_firing_alert(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.tick([{"agent": "a", "value": 1}, {"agent": "b", "value": 1}])
    with pytest.raises(AlertsError, match="2 of it fire"):
        firing_alert(process.store, "Down")
    with pytest.raises(AlertsError, match="Down fire"):
        firing_alert(process.store, "Up")
    process.tick([{"agent": "a", "value": 1}])
    alert = firing_alert(process.store, "Down")
    acks = Acks(process.store)
    acks.add(alert, created_by="kim", comment="", now=process.now)
    assert acks.holds(firing_alert(process.store, "Down", alert.fingerprint[:5]))
    process.tick([])
    assert acks.open() == [], "it ends with its alert"
    process.tick([{"agent": "a", "value": 1}])
    again = firing_alert(process.store, "Down")
    assert (again.fingerprint, acks.holds(again)) == (alert.fingerprint, False)
    acks.prune(process.now)
    process.store.close()


def test_the_list_says_who_takes_care_of_what_and_what_is_silenced(tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.tick([{"agent": "a", "value": 1}, {"agent": "b", "value": 1}])
    one, two = sorted(process.store.alerts().popitem()[1].values(), key=lambda alert: alert.labels["agent"])
    Acks(process.store).add(one, created_by="kim", comment="", now=START)
    made = silence("agent=b")
    Silences(process.store).add(made)
    rows = [(row.fingerprint, row.acknowledged_by, row.silence_id) for row in list_alerts(process.store, now=START)]
    assert rows == [(one.fingerprint, "kim", None), (two.fingerprint, None, made.id)]
    assert [row.silence_id for row in list_alerts(process.store, now=START + 2 * HOUR)] == [None, None]
    process.store.close()


def test_a_state_of_version_1_is_taken_over(tmp_path: Path) -> None:
    """The tables that version 2 has beside those of version 1 are made; what was there stays."""
    process = Process(tmp_path)
    process.tick([{"agent": "a", "value": 1}])
    known = process.store.alerts()
    added = ("groups", "members", "notifications", "silences", "acks")
    with process.store.begin() as connection:
        for name in added:
            METADATA.tables[name].drop(connection)
        connection.exec_driver_sql("PRAGMA user_version = 1")
    process.store.close()
    with pytest.raises(AlertsError, match="an older auditlake wrote it"):
        AlertStore.open(tmp_path, read_only=True)
    store = AlertStore.open(tmp_path)
    assert store.alerts() == known
    assert Silences(store).all() == Acks(store).open() == []
    store.close()
    AlertStore.open(tmp_path, read_only=True).close()
    assert SCHEMA_VERSION == 2


@pytest.fixture
def auditlake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.chdir(tmp_path)
    Catalog.open(tmp_path).close()
    app = typer.Typer()
    app.callback()(lambda: None)
    alerts_silences.register(app)
    return app


def run(app: typer.Typer, *words: object) -> Result:
    return CliRunner().invoke(app, list(map(str, words)))


def listed(app: typer.Typer, data: Path, *words: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(run(app, "silence", "list", "--data", data, "--format", "json", *words).stdout)
    return found


def logged(data: Path, kind: str) -> list[dict[str, object]]:
    with Lake.open(data, threads=1) as lake:
        found: list[dict[str, object]] = lake.query(
            "SELECT state, silence_id, matchers, alertname, reason, actor <> '' AS known FROM alert_log WHERE kind = $kind ORDER BY time",
            params={"kind": kind},
        ).to_pylist()
    return found


def test_a_silence_by_the_commands(auditlake: typer.Typer, tmp_path: Path) -> None:
    """Added, listed, ended; each change is an event of the lake."""
    made = run(auditlake, "silence", "add", "AgentDown", "team=~a|b", "--duration", "2h", "--comment", "we are moving", "--data", tmp_path)
    assert made.exit_code == 0, made.output
    name = made.stdout.strip()
    [row] = listed(auditlake, tmp_path)
    assert (row["id"], row["state"], row["comment"]) == (name, "active", "we are moving")
    assert row["matchers"] == ['alertname="AgentDown"', 'team=~"a|b"']
    assert datetime.fromisoformat(str(row["ends_at"])) - datetime.fromisoformat(str(row["starts_at"])) == 2 * HOUR
    ended = run(auditlake, "silence", "expire", name[:8], "--data", tmp_path)
    assert ended.exit_code == 0, ended.output
    assert listed(auditlake, tmp_path) == []
    assert [row["state"] for row in listed(auditlake, tmp_path, "--expired")] == ["expired"]
    assert "had ended before" in run(auditlake, "silence", "expire", name, "--data", tmp_path).stderr
    told = logged(tmp_path, "silence")
    assert [(row["state"], row["silence_id"], row["known"]) for row in told] == [("active", name, True), ("expired", name, True)]
    assert (told[0]["reason"], told[0]["matchers"]) == ("we are moving", row["matchers"])


def test_a_silence_that_is_named_twice_ends_once(auditlake: typer.Typer, tmp_path: Path) -> None:
    name = run(auditlake, "silence", "add", "a=1", "--comment", "c", "--data", tmp_path).stdout.strip()
    ended = run(auditlake, "silence", "expire", name[:8], name, "--data", tmp_path)
    assert (ended.exit_code, ended.stderr) == (0, f"ended: {name}\n")
    assert [row["state"] for row in logged(tmp_path, "silence")] == ["active", "expired"]


def test_what_would_mute_nothing_is_refused(auditlake: typer.Typer, tmp_path: Path) -> None:
    """Where Alertmanagers tell people, only they can be silent; what was begun before can be ended."""
    process = Process(tmp_path)
    process.tick([{"agent": "support", "value": 5}])
    Acks(process.store).add(firing_alert(process.store, "Down"), created_by="kim", comment="", now=START)
    process.store.close()
    name = run(auditlake, "silence", "add", "a=1", "--comment", "c", "--data", tmp_path).stdout.strip()
    configured(tmp_path, "    alertmanagers: [{url: 'http://am:9093'}]\n")
    for words in (["silence", "add", "a=1", "--comment", "c"], ["ack", "Down"]):
        result = run(auditlake, *words, "--data", tmp_path)
        assert (result.exit_code, "it would mute nothing" in result.stderr) == (2, True), result.output
    for words in (["silence", "expire", name], ["ack", "Down", "--end"]):
        assert run(auditlake, *words, "--data", tmp_path).exit_code == 0


def test_a_silence_for_later(auditlake: typer.Typer, tmp_path: Path) -> None:
    begins = datetime.now(UTC).replace(microsecond=0) + HOUR
    words = ["--start", begins.isoformat(), "--end", (begins + HOUR).isoformat(), "--comment", "c", "--data", tmp_path]
    assert run(auditlake, "silence", "add", "a=1", *words).exit_code == 0
    [row] = listed(auditlake, tmp_path)
    assert row["state"] == "pending"
    assert datetime.fromisoformat(str(row["starts_at"])) == begins


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a=1", "--duration", "soon"], "not a duration"),
        (["a=1", "--duration", "9000y"], "longer than time is counted"),
        (["a=1", "--end", "9999-12-31T23:00:00-05:00"], "--end is not a time"),
        (["a=1", "--start", "soon"], "--start is not a time"),
        (["a=1", "--end", "later"], "--end is not a time"),
        (["a="], "write it like severity="),
        (["user=jane.doe@example.com"], "personal data"),
    ],
)
def test_a_silence_that_cannot_be(auditlake: typer.Typer, tmp_path: Path, words: list[str], said: str) -> None:
    result = run(auditlake, "silence", "add", *words, "--comment", "c", "--data", tmp_path)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "jane" not in result.output
    assert not (tmp_path / FILE_NAME).exists() or listed(auditlake, tmp_path) == []


def test_an_acknowledgement_by_the_command(auditlake: typer.Typer, tmp_path: Path) -> None:
    process = Process(tmp_path)
    process.tick([{"agent": "support", "value": 5}])
    result = run(auditlake, "ack", "Down", "--comment", "on it", "--data", tmp_path)
    assert result.exit_code == 0, result.output
    [ack] = Acks(process.store).open()
    assert (ack.alertname, ack.comment) == ("Down", "on it")
    back = run(auditlake, "ack", "Down", ack.fingerprint[:4], "--end", "--data", tmp_path)
    assert back.exit_code == 0, back.output
    assert run(auditlake, "ack", "Down", "--end", "--data", tmp_path).exit_code == 1
    assert Acks(process.store).open() == []
    process.store.close()
    assert [(row["state"], row["alertname"], row["reason"]) for row in logged(tmp_path, "ack")] == [
        ("acknowledged", "Down", "on it"),
        ("expired", "Down", None),
    ]
