"""`auditlake export`: a stored run as a test (OTLP requests and what they must be reconstructed to), or audit events for a SIEM."""

import json
import re
import sys
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.options import EXIT_NO, DataOption, fail, plain

if TYPE_CHECKING:
    from storage.fixtures import Fixture

_LATER_NS: Final = 10 * 365 * 86_400 * 1_000_000_000
"""The lake is read as it will be then: a run that is going on now will not be when the fixture is sent again."""


_HIDDEN_KEY: Final = re.compile(r'"key": "[^"]*<[A-Z][A-Z0-9_]+[^"<>]*>|<[A-Z][A-Z0-9_]+[^"<>]*>[^"<>\\]*\\+"\s*:')
"""A key, of an attribute or in the JSON of a value, of which redaction replaced a part."""


class FixtureFormat(StrEnum):
    """What goes to standard output instead of files."""

    otlp_json = "otlp-json"
    expected = "expected"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    fixture: Annotated[
        str | None, typer.Option("--fixture", metavar="RUN", help="A run as a test: its id, one of its traces, or a beginning of it.")
    ] = None,
    ocsf: Annotated[bool, typer.Option("--ocsf", help="Audit events as OCSF 1.9, JSON lines for a SIEM.")] = False,
    data: DataOption = None,
    since: Annotated[str | None, typer.Option("--since", help="Of --ocsf: events from this time on, 24h, 2026-11-21T12:00:00Z.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Of --ocsf: events up to this time.")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Of --ocsf: events of this tenant.")] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="The folder of a fixture (default: ./fixture-RUN), or the file of events (default: stdout).",
        ),
    ] = None,
    output: Annotated[
        FixtureFormat | None,
        typer.Option("--format", help="To standard output, no files: the requests as OTLP JSON lines, or the expected reconstruction."),
    ] = None,
) -> None:
    """Write a stored run as a test fixture (OTLP requests, expected reconstruction, how to replay it), or audit events for a SIEM."""
    if ocsf and not fixture and output is None:
        from cli.ocsf import export_ocsf

        count = export_ocsf(data, folder, since=since, until=until, tenant=tenant)
        typer.echo(f"{count} events" + ("" if folder is None else f" in {folder}"), err=True)
        return
    if fixture is None or ocsf or since or until or tenant:
        fail("what to export?", "give --fixture RUN, or --ocsf with --since, --until and --tenant as you like")
    found, different = _made(data, fixture, None if output else lambda run_id: folder or _folder_of(run_id))
    hidden_keys = any(_HIDDEN_KEY.search(json.dumps(body, ensure_ascii=False)) for body in found.requests.values())
    if output is FixtureFormat.otlp_json:
        for body in found.requests.values():
            sys.stdout.write(json.dumps(body, ensure_ascii=False) + "\n")
    elif output is FixtureFormat.expected:
        sys.stdout.write(_indented(plain(found.expected)))
    else:
        target = folder or _folder_of(found.run_id)
        _write(target, found, different, hidden_keys=hidden_keys)
        typer.echo(f"{target}: {', '.join(sorted(path.name for path in target.iterdir()))}", err=True)
    _warn(different, hidden_keys=hidden_keys)


def _warn(different: list[str], *, hidden_keys: bool) -> None:
    """Say why a replay of the fixture gives something else."""
    if different:
        typer.echo(
            f"warning: this version reads the records otherwise than the lake has them: {', '.join(different)}\n"
            "  → a dialect or a price changed since they were stored",
            err=True,
        )
    if hidden_keys:
        typer.echo(
            "warning: redaction replaced parts of keys in it, and a collector takes the placeholders for what the values are: "
            "these differ when it is replayed",
            err=True,
        )


def _folder_of(run_id: str) -> Path:
    return Path("fixture-" + re.sub(r"[^\w.-]+", "_", run_id))


def _made(data: Path | None, text: str, target: Callable[[str], Path] | None) -> "tuple[Fixture, list[str]]":
    """The fixture, and what is different in it; `target` says where one of a run is written."""
    from cli.commands._lake import one_run
    from cli.reading import EXPORT, reading
    from storage.fixtures import make_fixture

    with reading(data, "export", resource=text, name=EXPORT, clock=lambda: time.time_ns() + _LATER_NS) as read:
        made = make_fixture(read.lake, one_run(read.lake, text))
        if made is None:
            fail(f"there is no run {text}", "`auditlake runs --since all` lists the runs of this lake", code=EXIT_NO)
        to = None if target is None else target(made.run_id)
        read.shown(len(made.expected["steps"]), resource=made.run_id, stored=[made.run_id], to=to)
    return made, _different(made)


def _different(made: "Fixture") -> list[str]:
    """What a fresh collector makes otherwise of the requests: names of parts, and of columns of steps and of the run."""
    import tempfile

    from collector.replay import replay
    from storage.fixtures import make_fixture
    from storage.lake import Lake

    now = time.time_ns()
    with tempfile.TemporaryDirectory(prefix="auditlake-fixture-") as folder:
        replay(Path(folder), made.requests, received_ns=now)
        with Lake.open(Path(folder), clock=lambda: now + 2 * _LATER_NS) as lake:
            again = make_fixture(lake, made.run_id)
    return ["the run"] if again is None else sorted(set(_names(made.expected, again.expected)))


def _names(stored: dict[str, Any], again: dict[str, Any]) -> list[str]:
    found = [part for part in stored if part not in {"run", "steps"} and stored[part] != again.get(part)]
    pairs = [(stored["run"], again["run"]), *zip(stored["steps"], again["steps"], strict=False)]
    for one, other in pairs:
        found += [name for name in one if one[name] != other.get(name)]
    return found + (["steps"] if len(stored["steps"]) != len(again["steps"]) else [])


def _write(target: Path, found: "Fixture", different: list[str], *, hidden_keys: bool) -> None:
    from storage.fixtures.readme import readme

    try:
        target.mkdir(parents=True, exist_ok=True)
        for signal, body in found.requests.items():
            (target / f"{signal}.json").write_text(_indented(body), encoding="utf-8")
        (target / "expected.json").write_text(_indented(plain(found.expected)), encoding="utf-8")
        text = readme(found.run_id, list(found.requests), tenants=found.tenants, different=different, hidden_keys=hidden_keys)
        (target / "README.md").write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"the fixture cannot be written to {target}: {error.strerror}", "give a folder that can be written with -o")


def _indented(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
