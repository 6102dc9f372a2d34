"""`auditlake alerts eval`: what rules say of the lake, at one instant or over a time that has passed. Changes and notifies nothing."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.commands.alerts_rules import FilesArgument, configured_files
from cli.options import EXIT_USAGE, ConfigOption, DataOption, FormatOption, OutputFormat, data_directory, fail, print_rows

if TYPE_CHECKING:
    from alerts.replay import Firing, Replay
    from alerts.rules import LoadedGroup, LoadedRule
    from storage.lake import Lake

AtOption = Annotated[str | None, typer.Option("--at", metavar="TIME", help="RFC 3339 time to evaluate at. Default: now.")]
SinceOption = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="Replay from here on: 24h, 7d, or an RFC 3339 time. What would have fired?")
]
UntilOption = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Replay until here. Default: now.")]
StepOption = Annotated[
    str | None, typer.Option("--step", metavar="DURATION", help="Evaluate so often in a replay. Default: the interval of each group.")
]
AlertOption = Annotated[list[str] | None, typer.Option("--alert", metavar="NAME", help="Only this alert; may be given several times.")]
NOW_COLUMNS = ("alert", "state", "labels", "value", "active_since", "summary")
PAST_COLUMNS = ("alert", "labels", "fired_at", "resolved_at", "lasted", "value", "summary")
MOST_EVALUATIONS = 1_000_000


class _Clock:
    """The lake's clock, which is set to the instant that is evaluated."""

    def __init__(self, moment: datetime) -> None:
        self.set(moment)

    def set(self, moment: datetime) -> None:
        self._ns = int(moment.timestamp() * 1e6) * 1000

    def __call__(self) -> int:
        return self._ns


def evaluate(
    files: FilesArgument = None,
    at: AtOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    step: StepOption = None,
    alert: AlertOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    output: FormatOption = OutputFormat.table,
) -> None:
    """Evaluate rules against the lake: what is pending or firing now or --at a time; with --since, what would have fired, and when."""
    from alerts.slo.replaying import load_all
    from cli.commands._lake import moment
    from cli.reading import filters, reading

    now = datetime.now(UTC)
    begin = _aware(moment(since, "--since", now))
    _check_options(at=at, begin=begin, until=until, step=step)
    end = _instant(at) if begin is None else (_aware(moment(until, "--until", now)) or now)
    groups = _selected(load_all(files or configured_files(config)), alert)
    every = _step(step)
    clock = _Clock(end)
    asked = filters(at=at, since=since, until=until, step=step, alert=alert)
    with reading(data_directory(data, config), "alerts.eval", resource="alert rules", statement=asked, clock=clock) as read:
        if begin is not None:
            rows, errors = _replayed(read.lake, groups, begin, end, every, clock)
        else:
            rows, errors = _evaluated(read.lake, groups, end, behind_watermark=at is None, clock=clock)
        read.shown(len(rows))
        print_rows(rows, output, columns=NOW_COLUMNS if begin is None else PAST_COLUMNS)
    for error in errors:
        typer.echo(f"auditlake: {error}", err=True)
    if errors:
        raise typer.Exit(EXIT_USAGE)


def _check_options(*, at: str | None, begin: datetime | None, until: str | None, step: str | None) -> None:
    if at is not None and begin is not None:
        fail("--at is one instant, --since a time that passed", "give one of them")
    if begin is None and (until is not None or step is not None):
        fail(f"{'--until' if until is not None else '--step'} is for a replay", "say from when on: --since 24h")


def _instant(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        fail("--at is not a time", "write it like 2026-11-21T12:00:00Z")
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


def _aware(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


def _step(text: str | None) -> timedelta | None:
    from alerts.durations import parse_duration

    if text is None:
        return None
    try:
        every = parse_duration(text)
    except ValueError as error:
        fail(f"--step is {error}")
    if every < timedelta(seconds=1):
        fail("--step is shorter than a second", "write it like 30s or 5m")
    return every


def _selected(groups: "Sequence[LoadedGroup]", names: Sequence[str] | None) -> "list[LoadedGroup]":
    """Return the groups with the rules of these names, and the recording rules, which others may read."""
    from dataclasses import replace

    from storage.wording import unknown

    if not names:
        return list(groups)
    known = {rule.name for group in groups for rule in group.rules if not rule.records}
    for name in names:
        if name not in known:
            fail(unknown("alert", name, known))
    chosen = [replace(group, rules=tuple(rule for rule in group.rules if rule.records or rule.name in names)) for group in groups]
    return [group for group in chosen if group.rules]


def _interval(group: "LoadedGroup") -> timedelta:
    return group.interval or timedelta(seconds=30)


def _offset(group: "LoadedGroup") -> timedelta:
    from alerts.scheduler import DEFAULT_QUERY_OFFSET_SECONDS

    return timedelta(seconds=DEFAULT_QUERY_OFFSET_SECONDS) if group.query_offset is None else group.query_offset


def _evaluated(
    lake: "Lake", groups: "Sequence[LoadedGroup]", at: datetime, *, behind_watermark: bool, clock: _Clock
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the pending and firing alerts, and what went wrong. `at` itself is $eval_ts unless the watermark holds it back."""
    from alerts.errors import AlertsError
    from alerts.evaluate import SameLabels
    from alerts.replay import Replay, settle
    from alerts.watermark import evaluation_time, ingest_watermark
    from storage.errors import StorageError

    rows: list[dict[str, Any]] = []
    errors: list[str] = []
    replay = Replay(lake, clean=_as_it_is, set_clock=clock.set)
    watermark = ingest_watermark(lake.data) if behind_watermark else None
    for group in groups:
        eval_ts = evaluation_time(at, _offset(group), watermark) if behind_watermark else at
        for rule in group.rules:
            try:
                found = settle(replay, rule, at=at, eval_ts=eval_ts, interval=_interval(group))
            except (StorageError, AlertsError, SameLabels) as error:
                errors.append(f"{rule.name}: {error}")
                continue
            if found.step.error is not None:
                errors.append(f"{rule.name}: {found.step.error}")
            rows += _rows_now(replay, rule, eval_ts)
            rows += [
                {**_row_now(rule, "recorded", recording.labels, recording.value, "", eval_ts), "active_since": None}
                for recording in found.recordings
            ]
    return rows, errors


def _rows_now(replay: "Replay", rule: "LoadedRule", eval_ts: datetime) -> list[dict[str, Any]]:
    from alerts.evaluate import State

    return [
        {
            **_row_now(rule, str(alert.state), alert.labels, alert.value, alert.annotations.get("summary", ""), eval_ts),
            "active_since": alert.active_at,
        }
        for alert in replay.alerts(rule).values()
        if alert.state in (State.PENDING, State.FIRING)
    ]


def _row_now(rule: "LoadedRule", state: str, labels: Any, value: float, summary: str, eval_ts: datetime) -> dict[str, Any]:
    return {
        "alert": rule.name,
        "group": rule.group,
        "state": state,
        "labels": {name: text for name, text in labels.items() if name != "alertname"},
        "value": value,
        "active_since": None,
        "summary": summary,
        "evaluated_at": eval_ts,
    }


def _replayed(
    lake: "Lake", groups: "Sequence[LoadedGroup]", since: datetime, until: datetime, step: timedelta | None, clock: _Clock
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return what would have fired, in order of time, and which rules could not be evaluated, how often."""
    from alerts.replay import Replay, firings, past_instants

    wanted = sum(len(group.rules) * ((until - since) // (step or _interval(group))) for group in groups)
    if wanted > MOST_EVALUATIONS:
        fail(f"{wanted:,} evaluations are too many", "take longer steps (--step 5m), a shorter time, or one alert (--alert NAME)")
    plan = [(group, past_instants(group, since=since, until=until, every=step or _interval(group))) for group in groups]
    failed: dict[str, tuple[int, str]] = {}

    def tell(rule: "LoadedRule", error: Exception) -> None:
        failed[rule.name] = (failed.get(rule.name, (0, ""))[0] + 1, str(error))

    replay = Replay(lake, clean=_as_it_is, set_clock=clock.set)
    rows: list[dict[str, Any]] = []
    with _progress(sum(len(group.rules) * len(instants) for group, instants in plan)) as advance:
        for group, instants in plan:
            found = firings(replay, group, _advancing(group, instants, advance), since=since, failed=tell)
            rows += [_row_past(firing, until) for firing in found]
    errors = [f"{name}: {count} of its evaluations failed, the last: {error}" for name, (count, error) in failed.items()]
    return sorted(rows, key=lambda row: (row["fired_at"], row["alert"])), errors


def _advancing(group: "LoadedGroup", instants: Sequence[datetime], advance: Callable[[int], None]) -> Iterator[tuple[datetime, datetime]]:
    """Yield each instant with its $eval_ts, and say when it is done."""
    for at in instants:
        yield at, at - _offset(group)
        advance(len(group.rules))


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how many of the evaluations are done; gives what takes how many more are."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("evaluating", total=total)
        yield lambda more: progress.advance(task, more)


def _row_past(firing: "Firing", until: datetime) -> dict[str, Any]:
    from cli.figures import duration

    alert = firing.alert
    fired_at = alert.fired_at or alert.active_at
    lasted = (firing.resolved_at or until) - fired_at
    return {
        "alert": firing.rule.name,
        "group": firing.rule.group,
        "labels": {name: text for name, text in alert.labels.items() if name != "alertname"},
        "pending_at": alert.active_at,
        "fired_at": fired_at,
        "resolved_at": firing.resolved_at,
        "lasted": duration(lasted.total_seconds() * 1000) + ("" if firing.resolved_at else ", fires on"),
        "value": alert.value,
        "summary": alert.annotations.get("summary", ""),
    }


def _as_it_is(items: Sequence[tuple[str, str | None]]) -> list[str]:
    """Leave texts as they are: nothing is stored, and who evaluates may read the lake."""
    return [text for text, _ in items]
