"""`auditlake verify`: are the stored records the ones that were committed, all of them and nothing else?"""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import EXIT_NO, ConfigOption, DataOption, FormatOption, OutputFormat, data_directory, fail, print_json, print_rows

if TYPE_CHECKING:
    from collector.config import Config
    from storage.ledger.anchors import Places, Source
    from storage.ledger.verdicts import Finding, Report
    from storage.ledger.verify import Progress
    from storage.ledger.verify_state import State

MAX_KEY_FILE_BYTES = 1 << 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify")(verify)


def verify(
    data: DataOption = None,
    config: ConfigOption = None,
    origin: Annotated[
        list[str] | None, typer.Option("--origin", metavar="NAME", help="Only this origin, or pattern; may be repeated.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Rows sealed at or after: 24h, 7d, or an RFC 3339 time. Logs are verified whole."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Believe files that were verified row by row before and have the same SHA-256.")
    ] = False,
    key: Annotated[
        list[str] | None, typer.Option("--key", metavar="KEY", help="Trust only this verifier key, or those of this file; may be repeated.")
    ] = None,
    anchor: Annotated[
        list[str] | None, typer.Option("--anchor", metavar="PLACE", help="A second location of checkpoints, beside the configured ones.")
    ] = None,
    witness_key: Annotated[
        list[str] | None, typer.Option("--witness-key", metavar="KEY", help="The verifier key of a witness, beside the configured ones.")
    ] = None,
    ask_witnesses: Annotated[
        bool, typer.Option("--ask-witnesses", help="Also ask the configured witnesses, over the network, what they have cosigned.")
    ] = False,
    require_anchored: Annotated[
        bool, typer.Option("--require-anchored", help="Exit with 1 also when no checkpoint outside of the lake covers all rows.")
    ] = False,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="FILE", help="What this verifier remembers. Default: in the user's state folder.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, max=64, metavar="N", help="Files read at once. Default: the processors.")
    ] = None,
    output: FormatOption = OutputFormat.table,
) -> None:
    """Check the ledger against the stored rows: a verdict for each range of entries; exit 1 when anything was altered, lost or added."""
    from cli.commands._lake import moment
    from cli.configuration import load_or_fail
    from storage.ledger.anchors import sources
    from storage.ledger.verify import Options
    from storage.ledger.verify import verify as run
    from storage.ledger.verify_state import State, default_path

    directory, loaded = data_directory(data, config), load_or_fail(config)
    begun = moment(since, "--since", datetime.now(UTC))
    memory = State.load(state or default_path(directory, os.environ))
    options = Options(
        quick=quick,
        origins=tuple(origin or ()),
        since_ns=None if begun is None else int(begun.replace(tzinfo=UTC).timestamp() * 1e9),
        keys=tuple(each for text in key or () for each in _keys(text)),
        sources=(*sources(directory, _places(loaded, anchor or (), witness_key or ())), *(_asked(loaded) if ask_witnesses else ())),
        jobs=jobs or os.cpu_count() or 1,
    )
    with _progress() as progress:
        report = run(directory, options, memory, progress=progress)
    _print(report, output)
    _tell(report, memory, require_anchored=require_anchored)
    if not report.ok or (require_anchored and (report.unanchored or report.unledgered)):
        raise typer.Exit(EXIT_NO)


def _keys(text: str) -> list[str]:
    """A verifier key, or the keys in a file, one a line. Exits with 2 when it is neither."""
    from storage.ledger.errors import NoteError
    from storage.ledger.note import VerifierKey

    path = Path(text)
    lines = [text]
    if "+" not in text or path.is_file():
        try:
            with path.open(encoding="utf-8") as file:
                lines = [line.strip() for line in file.read(MAX_KEY_FILE_BYTES).splitlines() if line.strip() and not line.startswith("#")]
        except (OSError, UnicodeDecodeError) as error:
            fail(
                f"--key {text} cannot be read ({type(error).__name__})",
                "give a verifier key as `auditlake ledger key` prints it, or a file of them",
            )
    try:
        return [str(VerifierKey.parse(line)) for line in lines]
    except NoteError as error:
        fail(f"--key: {error.subject} is no verifier key", error.hint)


def _places(config: "Config", anchors: Sequence[str], witness_keys: Sequence[str]) -> "Places":
    """Where heads of logs are known outside: the configured places, and those of the command line."""
    from storage.ledger.errors import NoteError
    from storage.ledger.note import VerifierKey

    configured = config.ledger.places
    try:
        keys = [VerifierKey.parse(text) for text in witness_keys]
    except NoteError as error:
        fail(f"--witness-key: {error.subject} is no verifier key", error.hint)
    witnesses = tuple(dict.fromkeys((*configured.witnesses, *keys)))
    return replace(configured, copies=(*configured.copies, *anchors), witnesses=witnesses)


def _asked(config: "Config") -> "list[Source]":
    """The configured witnesses themselves: what stands beside the logs may have been taken back with them."""
    from collector.anchoring.asked import AskedWitness
    from storage.ledger.note import VerifierKey

    return [AskedWitness(each.url, VerifierKey.parse(each.key), tls=each.tls, headers=each.headers) for each in config.ledger.witnesses]


@contextmanager
def _progress() -> "Iterator[Progress]":
    """Yield what shows how far it is: a bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("verifying"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("verifying", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _print(report: "Report", output: OutputFormat) -> None:
    if output is OutputFormat.json:
        print_json(report.to_json())
    elif output is OutputFormat.table:
        print_rows([_short(finding) for finding in report.findings], output)
    else:
        print_rows([_row(finding) for finding in report.findings], output)


def _short(finding: "Finding") -> dict[str, Any]:
    what = [finding.detail, f"first: {finding.record_id}" if finding.record_id else "", finding.path or ""]
    return {
        "origin": finding.origin,
        "entries": _entries(finding),
        "verdict": str(finding.verdict) + ("" if finding.anchored or finding.verdict != "VALID" else ", UNANCHORED"),
        "what": " · ".join(part for part in what if part),
    }


def _entries(finding: "Finding") -> str:
    if finding.first is None:
        return "log" if finding.path is None or finding.path.startswith("ledger/") else ""
    return str(finding.first) if finding.first == finding.last else f"{finding.first}–{finding.last}"


def _row(finding: "Finding") -> dict[str, Any]:
    names = ("origin", "first", "last", "table", "rows", "anchored", "record_id", "path", "order", "detail")
    return {"verdict": str(finding.verdict)} | {name: getattr(finding, name) for name in names}


def _tell(report: "Report", memory: "State", *, require_anchored: bool) -> None:
    """Say on stderr what was done, what it rests on, and what it does not prove."""
    for note in report.notes:
        typer.echo(f"note: {note}", err=True)
    if not any(finding.broken for finding in report.findings):
        _tell_trust(report)
    for origin in report.origins:
        if origin.unanchored:
            said = f"{origin.origin}: {origin.unanchored} of {origin.size} log entries are UNANCHORED"
            word = "auditlake" if require_anchored else "warning"
            remedy = "extensions.ledger.anchors or witnesses take checkpoints off this host"
            typer.echo(f"{word}: {said}: whoever owns this host and its key could have written them anew → {remedy}", err=True)
    if report.unledgered:
        word = "auditlake" if require_anchored else "warning"
        typer.echo(
            f"{word}: {report.unledgered:,} rows are UNLEDGERED: no log speaks of them, and whoever can write here can add more", err=True
        )
    seconds = (report.ended_ns - report.begun_ns) / 1e9
    broken = sum(finding.broken for finding in report.findings)
    verdict = "nothing altered, missing or extra" if report.ok else f"{broken} findings: this lake is not what was committed"
    typer.echo(f"{report.mode}: {report.rows:,} rows, {report.bytes / 1e6:.1f} MB in {seconds:.1f} s: {verdict}", err=True)
    typer.echo(f"remembered in {memory.path}; {_age(report)}", err=True)


def _tell_trust(report: "Report") -> None:
    from storage.ledger.verify_trust import REMEMBERED, STORED

    trusted = {origin.trust for origin in report.origins if origin.size}
    if STORED in trusted:
        remedy = "take `auditlake ledger key` from its owner on another way, and pass it with --key"
        typer.echo(
            f"warning: the verifier keys are those stored beside the data, which prove nothing against who can write there → {remedy}",
            err=True,
        )
    elif REMEMBERED in trusted:
        typer.echo("keys: those remembered from earlier verifications", err=True)


def _age(report: "Report") -> str:
    """When the logs were signed last: what came after is not covered."""
    times = [origin.time_s for origin in report.origins if origin.time_s]
    if not times:
        return "no log is signed"
    return f"the newest checkpoint is {max(0, time.time() - max(times)):,.0f} s old"
