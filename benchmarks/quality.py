"""What redaction finds and what it only thinks it finds: `python -m benchmarks.quality [--samples N] [--seed S] [--json FILE]`.

The default policy cleans the labelled corpus (benchmarks.corpus). A label counts as removed when every letter and digit of it is inside
findings and the output holds its value once less; as right when one of those findings also has its entity. A finding that touches no label
is a false positive. What is beside a label and goes with it is counted in characters. Negatives are rated by the ids they hold. Texts that
were withheld whole (the output differs without a finding) are counted apart, and their labels as missed: a failure is no recall.
A blocked key takes its whole value, which the redactor states without positions. Percent escapes are read where they stand, so of a label
over an escaped `name=value` the value has to go, and the name may stay; what is in Base64 or hexadecimal goes as a whole.
"""

import argparse
import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from benchmarks.corpus import DEFAULT_COUNT, DEFAULT_SEED, DIGEST, generate
from benchmarks.corpus.marks import TOLERATED, Label, Sample
from benchmarks.corpus.prose import LINES
from redaction.findings import BLOCKED_KEY, Cleaned
from redaction.findings import Finding as Found
from redaction.policy import RedactionConfig
from redaction.redactor import Redactor

BATCH_SAMPLES = 200
SHOWN = 20
"""How many misses and false positives of a kind the terminal shows; the JSON has all."""
ALSO_RIGHT: dict[str, frozenset[str]] = {
    "GCP_SERVICE_ACCOUNT": frozenset({"PRIVATE_KEY"}),
    "SNOWFLAKE_TOKEN": frozenset({"JWT", "DATABASE_URL_PASSWORD"}),
    "GENERIC_SECRET": frozenset({"DATABASE_URL_PASSWORD", "URL_SECRET"}),
}
"""Entities that are as right as the label's: what it is by its form, beside what it is for."""
ESCAPED_VALUE = re.compile(r"(?<=payload=)(?:%7B%22[^%]*%22%3A%20%22|Authorization%3A%20Bearer%20|[\w.\-]+%3D)(?P<value>.+?)(?:%22%7D)?\Z")
GROUPS = ("personal", "person", "credential", "unlabelled")
Row = dict[str, Any]


class Finding(Protocol):
    """What the redactor says of a stretch of the input, in code points."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def entity(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def rule(self) -> str: ...


@dataclass(slots=True)
class Tally:
    """What was counted so far."""

    labels: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)
    beside: Counter[str] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)
    written_removed: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    token_false: Counter[str] = field(default_factory=Counter)
    withheld: int = 0
    misses: list[Row] = field(default_factory=list)
    false_positives: list[Row] = field(default_factory=list)

    def add(self, sample: Sample, output: str, findings: Sequence[Finding]) -> None:
        """Count one sample."""
        self.withheld += not findings and output != sample.text
        if sample.tokens:
            self.tokens[sample.kind.removeprefix("negative:")] += sample.tokens
        for label in sample.labels:
            if label.entity != TOLERATED:
                self._label(sample, value_of(sample.text, label), output, findings)
        for finding in findings:
            self._finding(sample, finding)

    def _label(self, sample: Sample, label: Label, output: str, findings: Sequence[Finding]) -> None:
        over = [finding for finding in findings if touches(finding, label)]
        removed = covered(sample.text, label, over) and gone(sample.text, label, output)
        right = removed and any(finding.entity in {label.entity} | ALSO_RIGHT.get(label.entity, frozenset()) for finding in over)
        self.labels[label.entity] += 1
        self.removed[label.entity] += removed
        self.right[label.entity] += right
        for part in sample.kind.split("/"):
            self.written[part] += 1
            self.written_removed[part] += removed
        if not removed:
            self.misses.append(
                described(sample, label.start, label.end) | {"entity": label.entity, "found": [shown(each) for each in over]}
            )

    def _finding(self, sample: Sample, finding: Finding) -> None:
        over = [label for label in sample.labels if touches(finding, label)]
        if over and all(label.entity == TOLERATED for label in over):
            return
        self.findings[finding.entity] += 1
        if over:
            self.beside[finding.entity] += beside(sample, finding)
            return
        self.false[finding.entity] += 1
        if sample.tokens:
            self.token_false[sample.kind.removeprefix("negative:")] += 1
        where = described(sample, finding.start, finding.end)
        self.false_positives.append(where | {"entity": finding.entity, "rule": finding.rule, "score": finding.score})


def value_of(text: str, label: Label) -> Label:
    """Return the label of the value in a percent-escaped `name=value`; any other label as it is."""
    found = ESCAPED_VALUE.search(text, max(0, label.start - len("payload=")), label.end)
    return label if found is None or found.start() != label.start else replace(label, start=found.start("value"), end=found.end("value"))


def of_whole(text: str, result: Cleaned) -> Sequence[Finding]:
    """Return the findings of a result; what a blocked key takes is all of the text."""
    whole = [rule for entity, rule, path in result.receipts if entity == BLOCKED_KEY and not path]
    return result.findings or [Found(0, len(text), BLOCKED_KEY, 1.0, rule) for rule in whole]


def touches(finding: Finding, label: Label) -> bool:
    return finding.start < label.end and label.start < finding.end


def covered(text: str, label: Label, findings: Iterable[Finding]) -> bool:
    """Whether every letter and digit of the label is inside a finding."""
    inside = {at for finding in findings for at in range(max(finding.start, label.start), min(finding.end, label.end))}
    return all(at in inside for at in range(label.start, label.end) if text[at].isalnum())


def gone(text: str, label: Label, output: str) -> bool:
    """Whether the output holds the value less often than the input: that it was found does not say that it was removed."""
    value = text[label.start : label.end]
    return output.count(value) < text.count(value)


def beside(sample: Sample, finding: Finding) -> int:
    """Return how many letters and digits of a finding belong to no label."""
    inside = {at for label in sample.labels for at in range(label.start, label.end)}
    return sum(sample.text[at].isalnum() for at in range(finding.start, finding.end) if at not in inside)


def described(sample: Sample, start: int, end: int) -> Row:
    """Return the stretch with what is around it; all of it is invented."""
    around = f"{sample.text[max(0, start - 60) : start]}⟦{sample.text[start:end]}⟧{sample.text[end : end + 40]}"
    return {"kind": sample.kind, "key": sample.key, "value": sample.text[start:end], "around": around}


def shown(finding: Finding) -> str:
    return f"{finding.entity}[{finding.start}:{finding.end}] {finding.rule}"


def measure(seed: int, count: int) -> tuple[Tally, Row]:
    """Clean the samples and return what was counted, and how long it took."""
    redactor, tally = Redactor(RedactionConfig(), pseudonym_key=bytes(32)), Tally()
    redactor.clean_now([("warm@example.com", None)])
    seconds, size = 0.0, 0
    for batch in batches(generate.samples(seed, count)):
        begun = time.perf_counter()
        results = redactor.clean_now([(sample.text, sample.key) for sample in batch])
        seconds += time.perf_counter() - begun
        size += sum(len(sample.text.encode()) for sample in batch)
        for sample, result in zip(batch, results, strict=True):
            tally.add(sample, result.text, of_whole(sample.text, result))
    return tally, {"seconds": round(seconds, 1), "mb_per_second": round(size / seconds / 1e6, 2)}


def batches(samples: Iterator[Sample]) -> Iterator[list[Sample]]:
    while batch := list(islice(samples, BATCH_SAMPLES)):
        yield batch


def entity_rows(tally: Tally) -> Iterator[Row]:
    """Yield a row for every entity that was labelled or found: personal data first."""
    for entity in sorted({*tally.labels, *tally.findings}, key=lambda entity: (GROUPS.index(group(entity)), entity)):
        labels, findings, false = tally.labels[entity], tally.findings[entity], tally.false[entity]
        yield {
            "group": group(entity),
            "entity": entity,
            "labels": labels,
            "recall_removed": share(tally.removed[entity], labels),
            "recall_right": share(tally.right[entity], labels),
            "findings": findings,
            "false_positives": false,
            "precision": share(findings - false, findings),
            "letters_beside": tally.beside[entity],
        }


def group(entity: str) -> str:
    """Return what the entity is summed under."""
    if entity in generate.ENTITIES:
        return "credential"
    if entity == "PERSON":
        return "person"
    return "personal" if any(datum is not None and datum.entity == entity for datum in generate.PERSONAL) else "unlabelled"


def negative_rows(tally: Tally) -> Iterator[Row]:
    for what, tokens in sorted(tally.tokens.items()):
        false = tally.token_false[what]
        yield {"what": what, "tokens": tokens, "false_positives": false, "per_10000": round(false / tokens * 1e4, 2)}


def written_rows(tally: Tally) -> Iterator[Row]:
    for form, labels in sorted(tally.written.items()):
        yield {"written": form, "labels": labels, "recall_removed": share(tally.written_removed[form], labels)}


def share(part: int, whole: int) -> float | None:
    return round(part / whole, 5) if whole else None


def totals(tally: Tally) -> Row:
    """Return the figures of the groups, and of all negatives."""
    found: Row = {}
    for name in GROUPS[:3]:
        of_group = [entity for entity in {*tally.labels, *tally.findings} if group(entity) == name]
        labels, findings = (sum(counted[entity] for entity in of_group) for counted in (tally.labels, tally.findings))
        found[f"{name}_labels"] = labels
        found[f"{name}_recall_removed"] = share(sum(tally.removed[entity] for entity in of_group), labels)
        found[f"{name}_recall_right"] = share(sum(tally.right[entity] for entity in of_group), labels)
        found[f"{name}_precision"] = share(findings - sum(tally.false[entity] for entity in of_group), findings)
    for name, kinds in (("negative_ids", set(tally.tokens) - set(LINES)), ("negative_lines", set(LINES))):
        tokens, false = (sum(counted[what] for what in kinds) for counted in (tally.tokens, tally.token_false))
        found |= {f"{name}": tokens, f"{name}_false_positives": false, f"{name}_per_10000": round(false / max(tokens, 1) * 1e4, 2)}
    found["withheld_texts"] = tally.withheld
    found["false_positives_beside_labels"] = sum(tally.false.values()) - sum(tally.token_false.values())
    return found


def show(rows: Iterable[Row]) -> None:
    """Print rows as a table: the first text wide, numbers to the right."""
    for at, row in enumerate(rows := list(rows)):
        if at == 0:
            print("\n" + "".join(f"{name:<26}" if isinstance(value, str) else f"{name:>16}" for name, value in row.items()))
        cells = (f"{cell:<26}" if isinstance(cell, str) else f"{'–' if cell is None else cell:>16}" for cell in row.values())
        print("".join(cells), flush=True)


def show_cases(name: str, cases: Iterable[Row], by: str) -> None:
    """Print the first cases of each kind."""
    kinds: dict[str, list[Row]] = defaultdict(list)
    for case in cases:
        kinds[case[by]].append(case)
    for kind, those in sorted(kinds.items()):
        print(f"\n{name} {kind}: {len(those)}")
        for case in those[:SHOWN]:
            print(f"  {case['kind']:<32} {case['entity']:<20} {case['around'][:220]!r}")


def main() -> None:
    """Print the tables, and write the JSON when asked for."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--samples", type=int, default=DEFAULT_COUNT, help="how many samples of the corpus")
    options.add_argument("--seed", type=int, default=DEFAULT_SEED, help="another seed than the one whose samples were looked at")
    options.add_argument("--json", type=Path, help="also write figures, misses and false positives to this file")
    chosen = options.parse_args()
    tally, speed = measure(chosen.seed, chosen.samples)
    frozen = (chosen.seed, chosen.samples) == (DEFAULT_SEED, DEFAULT_COUNT)
    result = {"seed": chosen.seed, "samples": chosen.samples, "digest": DIGEST if frozen else None, "totals": totals(tally) | speed}
    tables = {"entities": list(entity_rows(tally)), "negatives": list(negative_rows(tally)), "written": list(written_rows(tally))}
    show_cases("missed", tally.misses, "entity")
    show_cases("false positives in", tally.false_positives, "kind")
    for rows in tables.values():
        show(rows)
    print()
    for what, value in result["totals"].items():
        print(f"{what:<48}{value!s:>14}")
    if chosen.json:
        cases = {"misses": tally.misses, "false_positives": tally.false_positives}
        chosen.json.write_text(json.dumps(result | tables | cases, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
