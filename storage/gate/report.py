"""The evidence summary as Markdown, for a pull request or an audit; what nobody said is "unknown"."""

from collections.abc import Mapping, Sequence
from typing import Any

from storage.gate.facts import NAMES

Document = Mapping[str, Any]


def markdown(of: Document) -> str:
    """Return the document of `storage.gate.summary` for people; times are as they stand in it."""
    against = f" against {_text(of['baseline'])}" if of["baseline"] is not None else ""
    lines = [f"# Release gate: {of['gate']}", "", f"Release **{_text(of['release'])}**{against} ({of['mode']}).", ""]
    if of["reasons"]:
        lines += ["## Why it is closed", "", *(f"* {_text(reason)}" for reason in of["reasons"]), ""]
    lines += ["## Release", "", *_table(("what", "value", "according to"), _fact_rows(of)), ""]
    lines += ["## Data", "", *_table(("", "runs", "ok", "error", "abandoned", "running", "first", "last"), _data_rows(of)), ""]
    lines += _pairs(of["pairs"])
    if of["checks"]:
        header = ("check", "state", "release", "baseline", "change", "tolerance", "p", "finds from", "why")
        lines += ["## Checks", "", *_table(header, [_check_row(check) for check in of["checks"]]), ""]
    if of["observed"]:
        rows = [[each["name"], between(each), each["unit"]] for each in of["observed"]]
        lines += ["## Also measured", "", *_table(("what", "value", "unit"), rows), ""]
    if of["not_measured"]:
        lines += ["Not measured: " + "; ".join(f"{_text(each['name'])} ({each['reason']})" for each in of["not_measured"]) + ".", ""]
    lines += ["## Trace contract", "", *_contract(of["contract"]), ""]
    lines += ["## Controls", "", *_controls(of["controls"]), ""]
    return "\n".join([*lines, "## Method", "", *_method(of), ""])


def number(value: float | None) -> str:
    """Return a number with four digits; unknown is empty."""
    if value is None:
        return ""
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"


def between(found: Document) -> str:
    """Return an estimate with its interval and samples; a bound that the data do not give is a question mark."""
    if found["value"] is None:
        return ""
    return f"{number(found['value'])} [{number(found['lower']) or '?'}, {number(found['upper']) or '?'}] n={found['samples']}"


def moved(change: Document | None) -> str:
    """Return a change with its interval: a factor (×) or a difference."""
    if change is None:
        return ""
    sign = "×" if change["kind"] == "ratio" else "+" if (change["value"] or 0) >= 0 else ""
    return f"{sign}{number(change['value']) or '?'} [{number(change['lower']) or '?'}, {number(change['upper']) or '?'}]"


def allowed(check: Document) -> str:
    """Return what a check allows: its limits, or how much worse than the baseline."""
    limits = [f"{word} {check[name]:g}" for name, word in (("min", "≥"), ("max", "≤")) if check[name] is not None]
    return " ".join(limits) if check["name"].endswith(".limit") else number(check["tolerance"])


def _fact_rows(of: Document) -> list[list[object]]:
    unknown = {"value": None, "source": "unknown"}
    found = {name: of["facts"].get(name, unknown) for name in NAMES}
    return [[label, found[name]["value"], found[name]["source"]] for name, label in NAMES.items()]


def _data_rows(of: Document) -> list[list[object]]:
    rows: list[list[object]] = []
    for who in ("release", "baseline"):
        data = of["data"][who]
        if data is not None:
            counts = [data[name] for name in ("runs", "ok", "error", "abandoned", "running", "first_started_at", "last_started_at")]
            rows.append([f"{who} {of[who]}", *counts])
    return rows


def _pairs(pairs: Document | None) -> list[str]:
    if pairs is None:
        return []
    alone = f"{pairs['unpaired_release']} of the release, {pairs['unpaired_baseline']} of the baseline"
    again = f"{pairs['repeated_release']} and {pairs['repeated_baseline']}"
    made = f"{pairs['count']} pairs by {pairs['text']}."
    return [f"{made} Runs without a partner: {alone}; repetitions of a task, left out: {again}.", ""]


def _check_row(check: Document) -> list[object]:
    shown = [between(check["release"]), between(check["baseline"]), moved(check["change"]), allowed(check)]
    return [check["name"], check["state"], *shown, number(check["p_value"]), number(check["detectable"]), check["reason"]]


def _contract(contract: Document | None) -> list[str]:
    if contract is None:
        return ["Not asked for (`--contract`)."]
    state = "passed" if contract["passed"] else "failed"
    lines = [f"{contract['file']}: **{state}**: {contract['reason']} ({contract['checked']} of {contract['runs']} ended runs checked)."]
    return lines + [f"* run {each['run_id']}: {', '.join(each['requirements'])}" for each in contract["short"]]


def _controls(controls: Sequence[Document]) -> list[str]:
    if not controls:
        return ["Not evaluated."]
    rows = [[each["name"], each["state"], each["checked"], each["failed"], each["title"]] for each in controls]
    return _table(("control", "state", "checked", "failed", "what"), rows)


def _method(of: Document) -> list[str]:
    stated = of["statistics"]
    chance = f"a chance of at most {stated['alpha']:g} (Bonferroni: {number(stated['level']) or '–'} each)"
    few = f"Fewer than {stated['min_samples']} samples of a release are not enough data, and that closes the gate."
    return [
        "A comparison fails where the near end of its one-sided interval is beyond the tolerance and a randomisation test agrees.",
        f"Intervals: {stated['intervals']}. Test: {stated['test']}; seed {stated['seed']}.",
        f"Identical releases close the gate by any of the {stated['comparisons']} comparisons with {chance};",
        "looking again and again as data arrive is not covered.",
        f"{few} *finds from*: the harm that such an interval shows with a probability of 80 %.",
    ]


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    return [
        "| " + " | ".join(header) + " |",
        "|" + "---|" * len(header),
        *("| " + " | ".join(_text(cell) for cell in row) + " |" for row in rows),
    ]


def _text(value: object) -> str:
    """A value on one line: names come from records, and must not write a report of their own."""
    return "unknown" if value is None else " ".join(str(value).split()).replace("|", "\\|").replace("<", "&lt;")
