"""`auditlake alerts silence …` and `auditlake alerts ack`: keep alerts from being told, and say that somebody takes care of one.

Both are events of `alert_log` and `access_log`, recorded before they count: what cannot be recorded does not happen.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import EXIT_NO, ConfigOption, DataOption, FormatOption, OutputFormat, data_directory, fail, print_rows

if TYPE_CHECKING:
    from alerts.silences import Silence
    from alerts.state import AlertStore
    from cli.access import AccessLog
    from storage.journal import AttributeValue

MatchersArgument = Annotated[
    list[str],
    typer.Argument(metavar="MATCHER...", help='Like severity="critical", team!=search, agent=~"a|b"; a bare word is an alertname.'),
]
CommentOption = Annotated[str, typer.Option("--comment", metavar="TEXT", help="Why; stays in the lake.")]
BehalfOption = Annotated[str | None, typer.Option("--as", metavar="NAME", help="For whom; stands in access_log.")]
DEFAULT_DURATION = "1h"


def register(alerts: typer.Typer) -> None:
    """Add the commands."""
    silence = typer.Typer(help="For a time, keep certain alerts from being told.", no_args_is_help=True)
    for name, command in (("add", add), ("expire", expire), ("list", list_silences)):
        silence.command(name)(command)
    alerts.add_typer(silence, name="silence")
    alerts.command("ack")(ack)


def add(
    matchers: MatchersArgument,
    comment: CommentOption,
    duration: Annotated[str, typer.Option("--duration", metavar="TIME", help="How long: 30m, 2h, 1d.")] = DEFAULT_DURATION,
    start: Annotated[str | None, typer.Option("--start", metavar="TIME", help="From when, RFC 3339. Default: now.")] = None,
    end: Annotated[str | None, typer.Option("--end", metavar="TIME", help="Until when, RFC 3339, in place of --duration.")] = None,
    on_behalf_of: BehalfOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Silence alerts that have all of these labels; prints the id of the silence."""
    from alerts.events import SILENCE
    from alerts.silences import Silences, new_silence

    now = datetime.now(UTC)
    starts_at = _instant(start, "--start") if start is not None else now
    ends_at = _instant(end, "--end") if end is not None else _after(max(starts_at, now), duration)
    with _opened(data, config, on_behalf_of, mutes=True) as (log, store):
        silence = new_silence(
            _storable(log, matchers),
            starts_at=starts_at,
            ends_at=ends_at,
            created_by=_who(log, on_behalf_of),
            comment=_why(log, comment),
            now=now,
        )
        log.record(
            "silence.add", outcome="success", resource=f"silence/{silence.id}", reason=comment, more=_told(silence, now), name=SILENCE
        )
        Silences(store).add(silence)
    typer.echo(silence.id)


def expire(
    silences: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of silences, or their beginnings.")],
    on_behalf_of: BehalfOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """End silences now; what they kept back is told at the next look at its group."""
    from alerts.events import SILENCE
    from alerts.silences import Silences, SilenceState, expired

    now = datetime.now(UTC)
    with _opened(data, config, on_behalf_of) as (log, store):
        found = {silence.id: silence for silence in (Silences(store).get(name) for name in silences)}
        for silence in found.values():
            if silence.state(now) is SilenceState.EXPIRED:
                typer.echo(f"{silence.id} had ended before", err=True)
                continue
            told = _told(expired(silence, now), now) | {"auditlake.alert.state": "expired"}
            log.record("silence.expire", outcome="success", resource=f"silence/{silence.id}", more=told, name=SILENCE)
            Silences(store).expire(silence.id, now)
            typer.echo(f"ended: {silence.id}", err=True)


def list_silences(
    all_: Annotated[bool, typer.Option("--expired", help="Also those that have ended.")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    output: FormatOption = OutputFormat.table,
) -> None:
    """List silences that hold or are still to come."""
    from alerts.silences import Silences, SilenceState
    from alerts.state import AlertStore

    now = datetime.now(UTC)
    with closing(AlertStore.open(data_directory(data, config), read_only=True)) as store:
        found = Silences(store).all()
    rows = [
        {
            "id": silence.id,
            "state": str(silence.state(now)),
            "matchers": [str(matcher) for matcher in silence.matchers],
            "starts_at": silence.starts_at,
            "ends_at": silence.ends_at,
            "created_by": silence.created_by,
            "comment": silence.comment,
        }
        for silence in found
        if all_ or silence.state(now) is not SilenceState.EXPIRED
    ]
    print_rows(rows, output)


def ack(
    alertname: Annotated[str, typer.Argument(metavar="ALERT", help="Name of an alert that fires.")],
    fingerprint: Annotated[str, typer.Argument(metavar="[FINGERPRINT]", help="Which of them: how its fingerprint begins.")] = "",
    comment: Annotated[str, typer.Option("--comment", metavar="TEXT", help="What is done about it; stays in the lake.")] = "",
    end: Annotated[bool, typer.Option("--end", help="Take the acknowledgement back.")] = False,
    on_behalf_of: BehalfOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Say that somebody takes care of a firing alert: it is not told again until it resolves."""
    from alerts.acks import Acks, firing_alert
    from alerts.events import ACK, ack_attributes

    now = datetime.now(UTC)
    with _opened(data, config, on_behalf_of, mutes=not end) as (log, store):
        alert = firing_alert(store, alertname, fingerprint)
        more = ack_attributes(alertname, alert.fingerprint, alert.labels, "expired" if end else "acknowledged")
        if end and not Acks(store).holds(alert):
            fail(f"nobody has acknowledged {alertname}", "auditlake alerts list shows who takes care of what", code=EXIT_NO)
        action = "ack.end" if end else "ack.add"
        log.record(action, outcome="success", resource=f"alert/{alertname}/{alert.fingerprint}", reason=comment, more=more, name=ACK)
        if end:
            Acks(store).end(alert, now)
        else:
            Acks(store).add(alert, created_by=_who(log, on_behalf_of), comment=_why(log, comment), now=now)
    typer.echo(f"{'taken back' if end else 'acknowledged'}: {alertname} {alert.fingerprint}", err=True)


@contextmanager
def _opened(
    data: Path | None, config: Path | None, on_behalf_of: str | None, *, mutes: bool = False
) -> "Iterator[tuple[AccessLog, AlertStore]]":
    """Open what a change is recorded in, and the state of the alerts; what was recorded is sealed at the end.

    What is to mute alerts is refused where it would not: real Alertmanagers do not know of it.
    """
    from alerts.state import AlertStore
    from cli.access import AccessLog, owned
    from cli.configuration import load_or_fail

    loaded, directory = load_or_fail(config), data_directory(data, config)
    if mutes and loaded.alerts is not None and loaded.alerts.alertmanagers:
        fail("it would mute nothing: alertmanagers are configured, and tell people themselves", "silence alerts there: amtool silence add")
    if not (directory / "catalog.sqlite").exists():
        fail(f"there is no lake in {directory}", "pass the right --data directory")
    log = AccessLog(loaded, directory, on_behalf_of=on_behalf_of)
    with owned(directory, "."), closing(AlertStore.open(directory)) as store:
        yield log, store
    log.seal()


def _storable(log: "AccessLog", matchers: Sequence[str]) -> list[str]:
    """Return matchers as the lake may hold them: labels of alerts are cleaned, so personal data would match nothing anyway."""
    from alerts.matchers import BadMatcher, Matcher, Operator, parse_matchers

    found = []
    for text in matchers:
        bare = not any(sign in text for sign in '=~!{},"')
        try:
            parsed = (Matcher(name="alertname", operator=Operator.EQUAL, value=text),) if bare else parse_matchers(text)
        except BadMatcher as error:
            fail("a matcher cannot be used", str(error))
        for matcher in parsed:
            if log.clean(matcher.value, matcher.name) != matcher.value:
                fail(
                    f"the matcher of {matcher.name} holds personal data, which would be on the disk",
                    "write what stands in the alert's label",
                )
        found += [str(matcher) for matcher in parsed]
    return found


def _told(silence: "Silence", now: datetime) -> "dict[str, AttributeValue]":
    from alerts.events import silence_attributes

    texts = [str(matcher) for matcher in silence.matchers]
    return silence_attributes(silence.id, silence.state(now).value, matchers=texts, starts_at=silence.starts_at, ends_at=silence.ends_at)


def _who(log: "AccessLog", on_behalf_of: str | None) -> str:
    from cli.access import BEHALF

    return log.clean(on_behalf_of, BEHALF) if on_behalf_of else log.actor


def _why(log: "AccessLog", comment: str) -> str:
    from cli.access import REASON

    return log.clean(comment, REASON) if comment else ""


def _instant(text: str, option: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        fail(f"{option} is not a time", "write it like 2026-11-21T12:00:00Z")


def _after(moment: datetime, duration: str) -> datetime:
    from alerts.durations import parse_duration

    try:
        return moment + parse_duration(duration)
    except ValueError as error:
        fail("--duration cannot be used", str(error))
    except OverflowError:
        fail("--duration is longer than time is counted", "write a shorter one, such as 30d")
