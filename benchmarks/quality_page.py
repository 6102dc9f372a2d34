"""docs/redaction-quality.md from two results of `python -m benchmarks.quality --json FILE`, of the default and of the held-out seed.

`python -m benchmarks.quality_page DEFAULT HELD_OUT`, each a file, writes the page to standard output.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

HEAD = """# Quality of redaction

`python -m benchmarks quality` cleans a labelled corpus of agent traffic with the default policy. The corpus (`benchmarks/corpus`) is
generated from a seed, was written by a hand that had not seen the rules, and was frozen by its SHA-256 before they were tuned
({digest}…). The rules were then tuned on the default seed ({seed}); the held-out seed ({held_out}) was measured afterwards, and a few
general faults that it showed were fixed, too: take the first column as what tuning reaches, the second as what comes near to the unseen,
and neither for your own traffic. A label is *removed* when every letter and digit of it is gone, *right* when its entity is, too.

Negatives are ids, hashes, UUIDs, timestamps, versions, prices, bookings and code; `luhn-by-chance` are order numbers that are valid card
numbers and stand without any word that says so, which nobody can tell from cards: they are listed, and left out of the rate.

"""
Result = dict[str, Any]


def main() -> None:
    """Write the page to standard output."""
    sys.stdout.write(page(*(json.loads(Path(path).read_text()) for path in sys.argv[1:3])))


def page(default: Result, held_out: Result) -> str:
    """Return the page for two results."""
    head = HEAD.format(digest=default["digest"][:16], seed=default["seed"], held_out=held_out["seed"])
    return (
        head
        + "\n".join(
            (*_totals(default, held_out), *_entities(default, held_out), *_negatives(default, held_out), *_misses(default, held_out))
        )
        + "\n"
    )


def _totals(*results: Result) -> Iterator[str]:
    yield "| in all | default seed | held-out seed |\n|---|---|---|"
    for name, what in (("personal", "structured personal data"), ("person", "names"), ("credential", "credentials")):
        for key, measure in (("labels", "labels"), ("recall_removed", "removed"), ("recall_right", "right"), ("precision", "precision")):
            yield f"| {what}: {measure} | " + " | ".join(_number(each["totals"][f"{name}_{key}"]) for each in results) + " |"
    yield "| false positives on ids, per 10,000 | " + " | ".join(_rate(each) for each in results) + " |\n"


def _rate(result: Result) -> str:
    ids = [row for row in result["negatives"] if row["what"] != "luhn-by-chance"]
    chance = next((row["false_positives"] for row in result["negatives"] if row["what"] == "luhn-by-chance"), 0)
    tokens, false = sum(row["tokens"] for row in ids), sum(row["false_positives"] for row in ids)
    return f"{10_000 * false / tokens:.2f} ({false} of {tokens:,}; luhn-by-chance {chance})"


def _entities(default: Result, held_out: Result) -> Iterator[str]:
    other = {row["entity"]: row for row in held_out["entities"]}
    yield "## By entity\n\n| entity | labels | removed | right | precision | held out: removed | precision |\n|---|---|---|---|---|---|---|"
    for row in default["entities"]:
        if row["labels"]:
            second = other[row["entity"]]
            cells = [
                row["labels"],
                *(row[each] for each in ("recall_removed", "recall_right", "precision")),
                second["recall_removed"],
                second["precision"],
            ]
            yield f"| `{row['entity']}` | " + " | ".join(_number(each) for each in cells) + " |"
    yield ""


def _negatives(*results: Result) -> Iterator[str]:
    yield "## False positives\n\n| negative | tokens | default seed | held-out seed |\n|---|---|---|---|"
    other = {row["what"]: row for row in results[1]["negatives"]}
    for row in results[0]["negatives"]:
        second = other[row["what"]]
        if row["false_positives"] or second["false_positives"]:
            yield f"| {row['what']} | {row['tokens']:,} | {row['false_positives']} | {second['false_positives']} |"
    clean = sum(1 for row in results[0]["negatives"] if not row["false_positives"] and not other[row["what"]]["false_positives"])
    yield f"\nThe {clean} other kinds have none.\n"


def _misses(*results: Result) -> Iterator[str]:
    yield "## What was missed\n\nEach miss between ⟦ ⟧ with what stands around it; credentials by their place only.\n"
    credentials = {row["entity"] for result in results for row in result["entities"] if row["group"] == "credential"}
    for result in results:
        yield (
            f"Seed {result['seed']}: " + (_counted(f"{each['entity']} in {each['kind']}" for each in result["misses"]) or "nothing") + ".\n"
        )
        for each in result["misses"]:
            if each["entity"] not in credentials:
                around = each["around"].replace("\n", "⏎").replace("`", "´").replace("\t", "→")
                yield f"* {each['entity']}: `{around}`"
        yield ""


def _counted(what: Iterable[str]) -> str:
    return ", ".join(f"{number} × {name}" if number > 1 else name for name, number in sorted(Counter(what).items()))


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{100 * value:.2f} %"


if __name__ == "__main__":
    main()
