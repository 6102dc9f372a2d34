"""`auditlake gate`: may a release go on? Exit code 0 is yes, 1 is no, whatever the reason; 2 is a question that was put wrongly."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cli.options import EXIT_NO, DataOption, FormatOption, OutputFormat, fail, plain, print_json, print_rows

if TYPE_CHECKING:
    from storage.gate import Question, Verdict

EVIDENCE = ("gate.json", "gate.md")
PAIR_KEYS = ("task", "case", "session", "input")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("gate")(gate)


def gate(
    release: Annotated[str, typer.Option("--release", metavar="R", help="The release that asks to go on.")],
    data: DataOption = None,
    baseline: Annotated[
        str | None, typer.Option("--baseline", metavar="B", help="The release to compare with; without it only limits are checked.")
    ] = None,
    contract: Annotated[
        Path | None, typer.Option("--contract", metavar="FILE", help="A trace contract that every checked run must keep.")
    ] = None,
    thresholds: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Thresholds (YAML); docs/release-gate.md has the built-in ones.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help="Only runs begun at or after: 24h, 7d, or RFC 3339.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Only runs begun at or before.")] = None,
    agent: Annotated[str | None, typer.Option("--agent", help="Only runs of this agent.")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only runs of this tenant.")] = None,
    environment: Annotated[str | None, typer.Option("--environment", help="Only runs in this environment.")] = None,
    min_samples: Annotated[
        int | None, typer.Option("--min-samples", min=2, metavar="N", help="Samples that each release needs for a check (default 30).")
    ] = None,
    shadow: Annotated[bool, typer.Option("--shadow", help="Both releases did the same tasks: compare them pair by pair.")] = False,
    pair_by: Annotated[
        str | None, typer.Option("--pair-by", metavar="KEY", help="task, case, session or input; else the first that pairs enough runs.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Write the evidence summary there: gate.json and gate.md.")
    ] = None,
    output: FormatOption = OutputFormat.table,
) -> None:
    """Compare a release with another and open or close the gate."""
    from storage.gate import Question, Scope, Thresholds, load

    _withdraw(folder)
    _refuse_nonsense(release, baseline, shadow=shadow, pair_by=pair_by)
    from cli.commands._lake import moment

    rules = Thresholds() if thresholds is None else load(thresholds)
    if min_samples is not None:
        rules = rules.model_copy(update={"min_samples": min_samples})
    now = datetime.now(UTC)
    scope = Scope(
        since=moment(since, "--since", now), until=moment(until, "--until", now), agent=agent, tenant=tenant, environment=environment
    )
    question = Question(
        release=release, baseline=baseline, scope=scope, thresholds=rules, contract=contract, shadow=shadow, pair_by=pair_by
    )
    try:
        verdict = _verdict(data, question)
    except Exception as error:
        from storage.gate import closed

        _write(closed(question, f"it was not judged to its end: {type(error).__name__}"), folder)
        raise
    _deliver(verdict, folder, output)


def _withdraw(folder: Path | None) -> None:
    """Evidence of an earlier question must not be taken for the answer to this one, however it ends."""
    if folder is None:
        return
    try:
        for name in EVIDENCE:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        _unwritten(folder, error)


def _unwritten(folder: Path, error: OSError) -> NoReturn:
    fail(f"the evidence cannot be written to {folder}: {error.strerror}", "give a folder that can be written with -o", code=EXIT_NO)


def _refuse_nonsense(release: str, baseline: str | None, *, shadow: bool, pair_by: str | None) -> None:
    for option, value in (("--release", release), ("--baseline", baseline)):
        if value == "":
            fail(f"{option} is empty", "name a release as its records do in service.version")
    if baseline == release:
        fail(f"--baseline {release} is the release itself", "name the release that runs today")
    if shadow and baseline is None:
        fail("--shadow compares two releases", "name the other one: --baseline B")
    if pair_by is not None and not shadow:
        fail("--pair-by is for --shadow", "add --shadow")
    if pair_by is not None and pair_by not in PAIR_KEYS:
        fail(f"--pair-by {pair_by} is not a key", f"choose one of {', '.join(PAIR_KEYS)}")


def _verdict(data: Path | None, question: "Question") -> "Verdict":
    """The answer; a lake that cannot say is a no."""
    from cli.reading import filters, reading
    from storage.errors import StorageError
    from storage.gate import closed, judge

    scope = question.scope
    narrowed = {"agent": scope.agent, "tenant": scope.tenant, "environment": scope.environment}
    asked = filters(release=question.release, baseline=question.baseline, **narrowed)
    try:
        with reading(data, "gate", resource="gate", statement=asked) as read:
            verdict = judge(read.lake, question)
            read.shown(len(verdict.checks))
            return verdict
    except StorageError as error:
        return closed(question, f"the lake cannot say: {error}")


def _deliver(verdict: "Verdict", folder: Path | None, output: OutputFormat) -> None:
    found = _write(verdict, folder)
    if output is OutputFormat.json:
        print_json(found)
    elif output is OutputFormat.table:
        _print(found)
    else:
        for reason in found["reasons"]:
            typer.echo(f"gate closed: {_line(reason)}", err=True)
        print_rows([_flat(check) for check in found["checks"]], output)
    if not verdict.open:
        raise typer.Exit(EXIT_NO)


def _write(verdict: "Verdict", folder: Path | None) -> dict[str, Any]:
    """Return the summary, written where it was asked for."""
    import json

    from storage.gate import document, markdown

    found: dict[str, Any] = plain(document(verdict))  # type: ignore[assignment]
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            texts = (json.dumps(found, ensure_ascii=False, indent=2, allow_nan=False) + "\n", markdown(found))
            for name, text in zip(EVIDENCE, texts, strict=True):
                (folder / name).write_text(text, encoding="utf-8")
        except OSError as error:
            _unwritten(folder, error)
    return found


def _line(text: str) -> str:
    """Names in it come from records: no control characters of theirs reach the terminal."""
    return "".join(each if each.isprintable() else " " for each in text)


def _print(found: dict[str, Any]) -> None:
    """The verdict first, then what it rests on."""
    from storage.gate.report import allowed, between, moved

    against = f" against {found['baseline']}" if found["baseline"] else ""
    typer.echo(_line(f"gate {found['gate']}: release {found['release']}{against}"))
    for reason in found["reasons"]:
        typer.echo(f"  ✗ {_line(reason)}")
    rows = [
        {
            "check": check["name"], "state": check["state"], "release": between(check["release"]), "baseline": between(check["baseline"]),
            "change": moved(check["change"]), "allowed": allowed(check),
        }
        for check in found["checks"]
    ]  # fmt: skip
    rows += [
        {"check": f"control {control['name']}", "state": control["state"],
         "release": f"{control['failed']} of {control['checked']} failed", "baseline": "", "change": "", "allowed": ""}
        for control in found["controls"]
    ]  # fmt: skip
    if rows:
        print_rows(rows, OutputFormat.table)


def _flat(check: dict[str, Any]) -> dict[str, Any]:
    """A check as one row of a table of plain values."""
    row = {name: value for name, value in check.items() if not isinstance(value, dict)}
    row.pop("change", None)
    for part in ("release", "baseline", "change"):
        for name in ("value", "lower", "upper"):
            row[f"{part}_{name}"] = (check[part] or {}).get(name)
    return row
