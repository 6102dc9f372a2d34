"""The oracle: the fast path of redaction finds what stock Presidio finds. `python -m benchmarks.soak redaction [--texts N] [--minutes M]`.

For every text and key: the same places, entities and scores from the recognizers that the prefilter chooses and from
`AnalyzerEngine.analyze` with all of them; for long and for escaped texts the same through the scanner, in the same chunks; and where the
prefilter says that nothing can match, nothing is found. A difference is made as small as it gets, printed (all texts are made up) and
written to `benchmarks/results/soak-redaction.json`.
"""

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any, Final

from benchmarks.soak.samples import samples
from benchmarks.stock import Stock, places
from benchmarks.texts import KEYS, KINDS, Texts
from redaction.findings import Findings, Verdict
from redaction.policy import OPTIONAL_ENTITIES, RedactionConfig
from redaction.prefilter import Prefilter
from redaction.presidio.analyzer import Analyzer
from redaction.presidio.detectors import detectors
from redaction.scan import Scanner

RESULT: Final = Path(__file__).parent.parent / "results/soak-redaction.json"
PROCESSES: Final = 2
TASK_TEXTS: Final = 500
LONG_EVERY: Final = 100
SAMPLES_OF_A_RULE: Final = 12
REPORTED: Final = 5
"""So many differences among `TASK_TEXTS` are minimised; the others are counted."""

Question = tuple[str, tuple[str, ...]]


@dataclass(slots=True)
class Tally:
    """What a process saw."""

    texts: Counter[str] = field(default_factory=Counter)
    questions: int = 0
    characters: int = 0
    candidates: Counter[str] = field(default_factory=Counter)  # texts of a kind that have any, without a key
    found: Counter[str] = field(default_factory=Counter)  # texts of a kind with findings, without a key
    findings: Counter[str] = field(default_factory=Counter)  # by entity
    rules: set[str] = field(default_factory=set)
    differences: list[dict[str, Any]] = field(default_factory=list)
    different: int = 0
    withheld: int = 0  # alike on both ways: a recognizer raised

    def add(self, other: "Tally") -> None:
        self.texts += other.texts
        self.questions += other.questions
        self.characters += other.characters
        self.candidates += other.candidates
        self.found += other.found
        self.findings += other.findings
        self.rules |= other.rules
        self.differences += other.differences
        self.different += other.different
        self.withheld += other.withheld


class StockFinder:
    """Stock Presidio in the place of the fast path's detector."""

    def __init__(self, config: RedactionConfig) -> None:
        self._all, self._long = Stock(config), Stock(config, long=True)

    def find(self, text: str, context: Sequence[str]) -> Findings:
        return self._all.find(text, context)

    def find_long(self, text: str) -> Findings:
        return self._long.find(text, ())


class Oracle:
    """Both ways of finding, side by side."""

    def __init__(self, config: RedactionConfig, cache_folder: Path) -> None:
        self.analyzer = Analyzer(config, cache_folder=cache_folder)
        self.stock = StockFinder(config)
        self._fast_scanner, self._stock_scanner = (
            Scanner(finder, timeout_seconds=1e6, budget=lambda _: nullcontext()) for finder in (self.analyzer, self.stock)
        )
        self._prefilter = Prefilter()
        self._prefilter.load(self.analyzer.gate.blob)

    def found(self, text: str, context: tuple[str, ...]) -> Verdict:
        """Return what stock Presidio finds in the text and in what it stands for, or why it would be withheld."""
        return self._stock_scanner.verdict(text, context)

    def difference(self, text: str, context: tuple[str, ...], right: Verdict | None = None) -> str:
        """Return in which way the fast path is wrong about a text; empty when it is right."""
        right = self.found(text, context) if right is None else right
        if comparable(self._fast_scanner.verdict(text, context)) != comparable(right):
            return "findings"
        if right and not self._prefilter.may_match(text, context):
            return "may_match"
        certain = isinstance(right, str) or any(each.entity not in OPTIONAL_ENTITIES for each in right)
        return "may_match_identifier" if certain and right and not context and not self._prefilter.may_match_identifier(text) else ""


def comparable(verdict: Verdict) -> object:
    return verdict if isinstance(verdict, str) else places(verdict)


def smallest(question: Question, differs: Callable[[str, tuple[str, ...]], str]) -> Question:
    """Return a question that still differs and from which no piece can be taken away."""
    text, context = question
    if context and differs(text, ()):
        context = ()
    size = len(text) // 2
    while size:
        at = 0
        while at < len(text):
            shorter = text[:at] + text[at + size :]
            if differs(shorter, context):
                text = shorter
            else:
                at += size
        size //= 2
    return text, context


def known_findings(config: RedactionConfig, seed: int) -> list[str]:
    """Return for every recognizer some of what its expressions match."""
    chance = Random(seed)
    expressions = [pattern.regex for each in detectors(config) for pattern in getattr(each.recognizer, "patterns", ())]
    return [each for expression in expressions for each in samples(expression, chance, SAMPLES_OF_A_RULE) if each]


def questions(seed: int, number: int, known: Sequence[str]) -> tuple[str, list[Question]]:
    """Return the kind and the questions of text `number`: the text under no key, and short ones under one that is drawn."""
    chance = Random(f"{seed}/{number}")
    short = [kind for kind in KINDS if kind != "long"]
    kind = "long" if number % LONG_EVERY == 0 else short[number % len(short)]
    text = Texts(chance, samples=known).text(kind)
    keys = {(), chance.choice(KEYS)} if kind != "long" else {chance.choice(KEYS)}
    return kind, [(text, key) for key in sorted(keys)]


Task = tuple[range, int, Path, float]
"""Numbers of texts, the seed, where the compiled prefilter is, and when to stop."""


def run(task: Task) -> Tally:
    """Ask about the texts with some numbers; what the processes do."""
    numbers, seed, cache_folder, until = task
    oracle, known, tally = _oracle(cache_folder), _known_findings(seed), Tally()
    for number in numbers:
        if time.monotonic() > until:
            break
        kind, asked = questions(seed, number, known)
        tally.texts[kind] += 1
        tally.characters += len(asked[0][0])
        tally.candidates[kind] += bool(oracle.analyzer.gate.candidates(*asked[0]))
        for position, question in enumerate(asked):
            ask(oracle, question, tally, kind, is_first=position == 0)
    return tally


@cache
def _oracle(cache_folder: Path) -> Oracle:
    return Oracle(RedactionConfig(), cache_folder)


@cache
def _known_findings(seed: int) -> list[str]:
    return known_findings(RedactionConfig(), seed)


def ask(oracle: Oracle, question: Question, tally: Tally, kind: str, *, is_first: bool) -> None:
    tally.questions += 1
    right = oracle.found(*question)
    tally.found[kind] += bool(right) and is_first
    if isinstance(right, str):
        tally.withheld += 1
    else:
        tally.findings.update(each.entity for each in right)
        tally.rules.update(each.rule for each in right)
    what = oracle.difference(*question, right)
    if not what:
        return
    tally.different += 1
    if len(tally.differences) < REPORTED:
        text, context = smallest(question, oracle.difference)
        difference = {"what": what, "kind": kind, "text": text, "context": context, "stock": repr(comparable(oracle.found(text, context)))}
        print(f"DIFFERENCE {json.dumps(difference)}", flush=True)
        tally.differences.append(difference)


def main(arguments: Sequence[str]) -> bool:
    """Run all; returns whether there was no difference."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.soak redaction", description=__doc__)
    options.add_argument("--texts", type=int, default=21_000, help="how many")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--minutes", type=float, default=60, help="stop after so long, whatever is left")
    options.add_argument("--json", type=Path, default=RESULT, help="where the result is written")
    chosen = options.parse_args(arguments)
    begun = time.monotonic()
    total = Tally()
    with tempfile.TemporaryDirectory() as folder, multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        Analyzer(RedactionConfig(), cache_folder=Path(folder))  # compiled once
        until = begun + 60 * chosen.minutes
        parts = (range(first, min(first + TASK_TEXTS, chosen.texts)) for first in range(0, chosen.texts, TASK_TEXTS))
        tasks = ((numbers, chosen.seed, Path(folder), until) for numbers in parts)
        for tally in pool.imap_unordered(run, tasks):
            total.add(tally)
            print(f"{total.texts.total():,} texts, {total.different} differences, {time.monotonic() - begun:.0f} s", flush=True)
    report(chosen.json, chosen.seed, total, time.monotonic() - begun)
    return not total.different


def report(file: Path, seed: int, total: Tally, seconds: float) -> None:
    """Print what was asked and found, and write it down."""
    print(f"{'texts':<20}{'number':>8}{'with candidates':>18}{'with findings':>16}")
    kinds = {}
    for kind, count in sorted(total.texts.items()):
        kinds[kind] = {"texts": count, "with_candidates": total.candidates[kind], "with_findings": total.found[kind]}
        print(f"{kind:<20}{count:>8,}{total.candidates[kind] / count:>18.1%}{total.found[kind] / count:>16.1%}")
    every_rule = {f"SecretRecognizer/{pattern.name}" for pattern in _secret_patterns()}
    result = {
        "soak": "redaction",
        "seed": seed,
        "commit": _git("rev-parse", "HEAD"),
        "changed_since": _git("status", "--porcelain", "--", "redaction").splitlines(),
        "versions": {name: version(name) for name in ("hyperscan", "presidio-analyzer", "regex", "phonenumbers")}
        | {"python": sys.version.split()[0]},
        "texts": total.texts.total(),
        "questions": total.questions,
        "characters": total.characters,
        "kinds": kinds,
        "findings": dict(sorted(total.findings.items())),
        "secret_rules_that_matched": len(every_rule & total.rules),
        "secret_rules_that_never_matched": sorted(every_rule - total.rules),
        "withheld": total.withheld,
        "differences": total.different,
        "smallest": total.differences,
        "seconds": round(seconds, 1),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(result, indent=1) + "\n")
    print(
        f"{result['texts']:,} texts, {total.questions:,} questions, {total.findings.total():,} findings of {len(total.rules)} rules, "
        f"{total.different} differences, {seconds:.0f} s; written to {file}"
    )


def _secret_patterns() -> Iterator[Any]:
    for each in detectors(RedactionConfig()):
        if each.recognizer.name == "SecretRecognizer":
            yield from getattr(each.recognizer, "patterns", ())


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=Path(__file__).parent, check=True, capture_output=True, text=True).stdout.strip()
