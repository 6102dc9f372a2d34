"""`auditlake run ID`: one run, reconstructed: a tree on a terminal, or everything as JSON."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cli.options import EXIT_NO, DataOption, FormatOption, OutputFormat, fail, print_json, print_rows

if TYPE_CHECKING:
    from rich.text import Text

    from storage.lake import Lake

ICONS = {
    "run": "▶", "agent": "◆", "model": "✦", "tool": "⚒", "retrieval": "⌕", "memory": "▤", "policy": "⚖", "approval": "☑", "eval": "★",
    "checkpoint": "⚑", "heartbeat": "♥", "message": "✉", "other": "·",
}  # fmt: skip
STATUS_STYLES = {"ok": "green", "error": "bold red", "running": "cyan", "abandoned": "yellow"}
COLUMNS = ("depth", "kind", "name", "status", "started_at", "duration_ms", "input_tokens", "output_tokens", "cost_usd", "record_id")
MOST_LINES = 2_000


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="Run id, one of its trace ids, or a beginning that no other run has.")],
    data: DataOption = None,
    tree: Annotated[bool, typer.Option("--tree", help="The tree, also when the output is not a terminal.")] = False,
    output: FormatOption = OutputFormat.table,
) -> None:
    """Reconstruct one run; --format json gives all of it."""
    from cli.commands._lake import opened
    from storage.runs import reconstruct

    with opened(data, "run") as lake:
        found = reconstruct(lake, _one(lake, run_id))
        if found is None:
            _unknown(run_id)
        if output is OutputFormat.json:
            print_json(found)
        elif output is not OutputFormat.table:
            print_rows([{name: _flat(value) for name, value in step.items()} for step in found["steps"]], output)
        elif tree or sys.stdout.isatty():
            _print_tree(found)
        else:
            print_rows(found["steps"], output, columns=COLUMNS)


def _one(lake: "Lake", text: str) -> str:
    from storage.runs import find

    candidates = find(lake, text)
    if len(candidates) > 1:
        fail(f"several runs begin with {text}: {', '.join(candidates)} …", "write more of the id", code=EXIT_NO)
    if not candidates:
        _unknown(text)
    return candidates[0]


def _unknown(text: str) -> NoReturn:
    fail(f"there is no run {text}", "`auditlake runs --since all` lists the runs of this lake; is --data the right one?", code=EXIT_NO)


def _flat(value: object) -> object:
    """Nested values as JSON text: CSV and Parquet files of steps have one type a column."""
    return json.dumps(value, default=str, ensure_ascii=False) if isinstance(value, dict | list) else value


def _print_tree(found: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.tree import Tree

    steps: Sequence[Mapping[str, Any]] = found["steps"]
    root = Tree(_headline(found["run"]), guide_style="dim")
    branches: dict[str | None, Tree] = {None: root}
    for step in steps[:MOST_LINES]:
        branches[step["record_id"]] = branches.get(step["parent_record_id"], root).add(_line(step, steps[0]))
    console = Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else 240)
    console.print(root)
    if len(steps) > MOST_LINES:
        console.print(f"… {len(steps) - MOST_LINES} more steps: --format json gives all", style="yellow")
    for line in _statements(found):
        console.print(line)


def _headline(run: Mapping[str, Any]) -> "Text":
    from rich.text import Text

    text = Text(f"{run['name'] or 'run'} ", style="bold").append(str(run["run_id"]), style="dim")
    text.append(f"  {run['status']}", style=STATUS_STYLES.get(run["status"], ""))
    parts = [run["stop_reason"], duration(run["duration_ms"]), cost(run["cost_usd"]), tokens(run), f"{run['steps']} steps"]
    people = [f"{label} {run[name]}" for label, name in (("agent", "agent_name"), ("actor", "actor"), ("tenant", "tenant")) if run[name]]
    return text.append("  " + " · ".join(part for part in (*parts, *people) if part))


def _line(step: Mapping[str, Any], first: Mapping[str, Any]) -> "Text":
    from rich.text import Text

    failed = step["status"] == "error"
    text = (
        Text(f"{ICONS.get(step['kind'], '·')} ").append(step["kind"], style="dim").append(f" {step['name']}", style="red" if failed else "")
    )
    offset = (step["start_ns"] - first["start_ns"]) / 1e6
    parts: list[str | None] = [f"+{duration(offset)}", duration(step["duration_ms"])]
    if step["kind"] == "model":
        parts += [step["model"] or step["model_requested"], tokens(step), cost(step["cost_usd"]), "" if step["counted"] else "not counted"]
    parts += [step["decision"], step["approval_state"], step["error_type"] or ("error" if failed else None)]
    parts += [
        "parent missing" if step["orphan"] else None,
        *(f"{count} × {entity}" for entity, count in (step["redactions"] or {}).items()),
    ]
    return text.append("  " + " · ".join(part for part in parts if part), style="dim")


def _statements(found: Mapping[str, Any]) -> list[str]:
    complete = found["completeness"]
    counts = [
        (complete["orphans"], "steps whose parent is missing"), (complete["gaps"], "numbers missing"), (complete["unended"], "not ended"),
        (complete["withheld"], "values withheld"), (sum(complete["dropped"].values()), "records dropped by the exporter"),
        (len(complete["after_end"]), "steps after the end"),
    ]  # fmt: skip
    missing = ", ".join(f"{count} {what}" for count, what in counts if count) or "nothing known to be missing"
    origins = ", ".join(f"{origin['origin']} entries {_range(origin['entries'])}" for origin in found["integrity"]["origins"])
    return [f"{complete['records']} records: {missing}", f"integrity: {found['integrity']['state']} ({origins})"]


def _range(numbers: Sequence[int]) -> str:
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}–{numbers[-1]}"


def duration(milliseconds: float | None) -> str:
    """Return a duration for people; unknown is empty."""
    if milliseconds is None:
        return ""
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1000:.1f} s" if milliseconds < 120_000 else f"{milliseconds / 60_000:.1f} min"


def cost(dollars: float | None) -> str:
    """Return a cost for people; unknown is empty."""
    return "" if dollars is None else f"${dollars:.4f}"


def tokens(row: Mapping[str, Any]) -> str:
    """Return tokens in and out for people; unknown is empty, half known shows a question mark."""
    known = [row["input_tokens"], row["output_tokens"]]
    return "" if known == [None, None] else " → ".join("?" if number is None else f"{number}" for number in known) + " tok"
