"""`auditlake run ID`: one run, reconstructed: explained on one screen, as a tree, or everything as JSON."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import conversation
from cli.figures import cost, duration, plural, printable, short, tokens
from cli.options import AbandonedOption, DataOption, FormatOption, OutputFormat, print_json, print_rows

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from cli.reading import Reading

ICONS = {
    "run": "▶", "agent": "◆", "model": "✦", "tool": "⚒", "retrieval": "⌕", "memory": "▤", "policy": "⚖", "approval": "☑", "eval": "★",
    "checkpoint": "⚑", "heartbeat": "♥", "message": "✉", "other": "·",
}  # fmt: skip
STATUS_STYLES = {"ok": "green", "error": "bold red", "running": "cyan", "abandoned": "yellow"}
SCREEN = 40
MOST_LINES = 2_000


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="Run id, one of its trace ids, or a beginning that no other run has.")],
    data: DataOption = None,
    tree: Annotated[bool, typer.Option("--tree", help="The whole tree, not only its first screen.")] = False,
    abandoned_after: AbandonedOption = None,
    output: FormatOption = OutputFormat.table,
) -> None:
    """Reconstruct one run: what happened, why it stopped, what is missing; --format json gives all of it."""
    from storage import early

    early.begin()
    from cli.commands._lake import one_run, unknown_run
    from cli.reading import reading
    from storage.ledger.verify_state import default_path
    from storage.runs import reconstruct

    with reading(data, "run", resource=run_id, abandoned_after=abandoned_after) as read:
        found = reconstruct(read.lake, one_run(read.lake, run_id), states=[default_path(read.lake.data, os.environ)])
        if found is None:
            unknown_run(run_id)
        name = str(found["run"]["run_id"])
        read.tell(len(found["steps"]), resource=name, stored=[name])
        if output is OutputFormat.table:
            _print(found, read, most_lines=MOST_LINES if tree else SCREEN)
            return
        read.told()
        if output is OutputFormat.json:
            print_json(found)
        else:
            print_rows([{name: _flat(value) for name, value in step.items()} for step in found["steps"]], output)


def _flat(value: object) -> object:
    """Nested values as JSON text: CSV and Parquet files of steps have one type a column."""
    return json.dumps(value, default=str, ensure_ascii=False) if isinstance(value, dict | list) else value


def _print(found: Mapping[str, Any], read: "Reading", *, most_lines: int) -> None:
    """The explanation, then the tree of its steps; made while the read is recorded, shown when it is."""
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False, emoji=False, markup=False, width=None if sys.stdout.isatty() else 240)
    with console.capture() as screen:
        _draw(console, found, most_lines)
    read.told()
    sys.stdout.write(screen.get())


def _draw(console: "Console", found: Mapping[str, Any], most_lines: int) -> None:
    from rich.text import Text
    from rich.tree import Tree

    from cli.explanation import explanation
    from storage.runs.clocks import begin_ns

    console.print(_headline(found["run"]))
    for label, said, worrying in explanation(found):
        console.print(Text(f"  {label:<10}", style="dim").append(printable(said), style="yellow" if worrying else ""), soft_wrap=True)
    steps: Sequence[Mapping[str, Any]] = found["steps"]
    branches: dict[str | None, Tree] = {None: Tree("", guide_style="dim", hide_root=True)}
    first_ns = min(begin_ns(step) for step in steps)
    for step in steps[:most_lines]:
        branches[step["record_id"]] = branches.get(step["parent_record_id"], branches[None]).add(_line(step, first_ns))
    console.print(branches[None])
    if len(steps) > most_lines:
        console.print(f"… {len(steps) - most_lines:,} more steps: --tree shows {MOST_LINES:,}, --format json all", style="yellow")
    if found["messages"]:
        console.print("Conversation", style="bold")
    for speaker, said in conversation.lines(found["messages"]):
        console.print(Text(f"  {printable(speaker):<14} ", style="dim").append(said), soft_wrap=True)


def _headline(run: Mapping[str, Any]) -> "Text":
    from rich.text import Text

    text = Text(f"{printable(run['name'] or 'run')} ", style="bold").append(printable(run["run_id"]), style="dim")
    text.append(f"  {run['status']}", style=STATUS_STYLES.get(run["status"], ""))
    parts = [run["stop_reason"], duration(run["duration_ms"]), cost(run["cost_usd"]), tokens(run), plural(run["steps"], "step")]
    return text.append(printable("  " + " · ".join(part for part in parts if part)))


def _line(step: Mapping[str, Any], first_ns: int) -> "Text":
    from rich.text import Text

    failed = step["status"] == "error"
    text = Text(f"{ICONS.get(step['kind'], '·')} ").append(printable(step["kind"]), style="dim")
    text.append(f" {printable(short(step['name']))}", style="red" if failed else "")
    skewed = step["clock_offset_ms"]
    offset = (step["start_ns"] - first_ns) / 1e6 + (skewed or 0)
    parts: list[str | None] = [f"+{duration(offset)}", duration(step["duration_ms"])]
    if step["kind"] == "model":
        parts += [step["model"] or step["model_requested"], tokens(step), cost(step["cost_usd"]), "" if step["counted"] else "not counted"]
    parts += [step["decision"], step["approval_state"], f"hands over to {step['handoff_to']}" if step["handoff_to"] else None]
    parts += [step["error_type"] or ("error" if failed else None)]
    parts += [
        "not ended" if step["source"] == "span" and step["ended_at"] is None else None,
        "parent missing" if step["orphan"] else None,
        f"clock corrected by {duration(skewed)}" if skewed else None,
        *(f"{count} × {entity}" for entity, count in (step["redactions"] or {}).items()),
    ]
    return text.append(printable("  " + " · ".join(part for part in parts if part)), style="dim")
