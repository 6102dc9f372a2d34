"""What redaction costs on one core: `python -m benchmarks.redaction [--quick] [--json FILE]`; tables, then one line of JSON.

All texts are made up (`benchmarks.texts`), seeded, and distinct within a row. Ways: `vanilla` is `AnalyzerEngine` with Presidio's own
recognizers; `stock` is the same engine with the recognizers, context and threshold of the default policy, every one on every text;
`new` is ours on texts never seen, in this process; `process` is the same through a scanner process, as the collector does it; `known` is
ours on texts that were seen. Rounds are interleaved and medians reported; `spread` is (most - least) / median of the rounds, so what is
smaller than it says nothing. Times are processor times of one core, those of `process` and `known` by the clock.
"""

import argparse
import asyncio
import json
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Final

import tldextract
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import NoOpNlpEngine

from benchmarks import replay
from benchmarks.entities import ENTITIES
from benchmarks.stock import Stock
from benchmarks.texts import Texts
from redaction.conditions import open_gate
from redaction.policy import RedactionConfig
from redaction.presidio.analyzer import Analyzer
from redaction.presidio.detectors import conditions, detectors
from redaction.redactor import Item, Redactor
from redaction.scan import Scanner

KEY: Final = b"benchmark" * 4
CALL_TEXTS: Final = 32
KINDS: Final[dict[str, Callable[[Texts], str]]] = {
    "prose (300 B)": Texts.prose,
    "prose (4 kB)": lambda texts: " ".join(texts.prose() for _ in range(14)),
    "prose (50 kB)": lambda texts: " ".join(texts.prose() for _ in range(170)),
    "logs": Texts.log,
    "chat JSON": Texts.chat,
    "tool calls": Texts.tool_call,
    "code": Texts.code,
    "shell": Texts.shell,
}
MIXED: Final = ("prose (300 B)", "logs", "chat JSON", "tool calls", "code", "shell")
SHARES: Final = (0.01, 0.05, 0.2, 1.0)
"""Of texts with findings in a mixture of kinds; without any stands kind by kind."""
CONFIRMED: Final = ("email", "card", "phone", "ssn", "iban", "bitcoin", "token", "aws", "jwt", "private key", "assignment", "url", "header")
_BETWEEN_WORDS: Final = re.compile(r"(?<=[a-z]) (?=[a-z])")
Row = dict[str, object]
Way = Callable[[Sequence[str]], float]


class Bench:
    """The ways of cleaning, and how many texts each is given."""

    def __init__(self, cache_folder: Path, *, quick: bool) -> None:
        self.rounds = 1 if quick else 3
        self._texts = {"stock": 20 if quick else 50, "vanilla": 20 if quick else 50, "new": 300 if quick else 1500}
        self._folder = cache_folder
        config = RedactionConfig()
        self._analyzer = Analyzer(config, cache_folder=cache_folder)
        self.scanner = Scanner(self._analyzer, timeout_seconds=10)
        self.stock = Stock(config)
        tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(cache_dir=None, suffix_list_urls=())  # vanilla would download the list
        self._vanilla = AnalyzerEngine(nlp_engine=NoOpNlpEngine([{"lang_code": "en", "model_name": "no_op"}]))
        self.new = self._redactor(0)
        self._known = self._redactor(1 << 28)
        self._loop = asyncio.Runner()
        self._apart = Redactor(RedactionConfig(cache_bytes=0), pseudonym_key=KEY, cache_folder=cache_folder)
        self.ways: dict[str, Way] = {
            "vanilla": lambda texts: timed(lambda: [self._vanilla.analyze(text, language="en", score_threshold=0.4) for text in texts]),
            "stock": lambda texts: timed(lambda: [self.stock.find(text, ()) for text in texts]),
            "new": lambda texts: timed(lambda: clean(self.new, texts)),
            "process": lambda texts: self._loop.run(self._through_process(texts)),
            "known": self._of_known,
        }

    def _redactor(self, cache_bytes: int) -> Redactor:
        redactor = Redactor(RedactionConfig(cache_bytes=cache_bytes), pseudonym_key=KEY, cache_folder=self._folder)
        redactor.clean_now([("warm@example.com", None)])
        return redactor

    def count(self, way: str, size: int) -> int:
        """Return how many texts of about `size` characters a way is given."""
        return max(3, self._texts.get(way, self._texts["new"]) * 300 // max(300, size))

    def _of_known(self, texts: Sequence[str]) -> float:
        clean(self._known, texts)
        begun = time.perf_counter()  # a few of them take less than the processor's clock tells
        for text in texts:
            self._known.lookup(text, None)
        return time.perf_counter() - begun

    async def _through_process(self, texts: Sequence[str]) -> float:
        """Clean `texts` in calls that all wait at once; returns the seconds without starting the process."""
        await self._apart.clean([("start@example.com", None)])
        begun = time.perf_counter()
        asked: list[Item] = [(text, None) for text in texts if self._apart.lookup(text, None) is None]
        await asyncio.gather(*(self._apart.clean(asked[start : start + CALL_TEXTS]) for start in range(0, len(asked), CALL_TEXTS)))
        return time.perf_counter() - begun

    def close(self) -> None:
        """End the scanner process."""
        self._loop.run(self._apart.close())
        self._loop.close()

    def texts(self, kind: str, count: int, seed: str, share: float) -> list[str]:
        """Return texts of a kind; a `share` of them holds one finding, the others none."""
        chance = Random(seed)
        maker = Texts(chance, density=0)
        found: list[str] = []
        while len(found) < count:
            of_kind = chance.choice(MIXED) if kind == "mixed" else kind
            text = KINDS[of_kind](maker)
            if share and len(found) % round(1 / share) == 0:
                found.append(with_finding(text, chance, chance.choice(CONFIRMED)))
            elif share or not self.scanner.verdict(text, ()):
                found.append(text)
        return found


def with_finding(text: str, chance: Random, kind: str) -> str:
    """Return `text` with a finding between two of its words; what is valid JSON stays valid."""
    places = [match.start() for match in _BETWEEN_WORDS.finditer(text)]
    at = chance.choice(places) if places else len(text)
    return f"{text[:at]} {json.dumps(ENTITIES[kind](chance))[1:-1]}{text[at:]}"


def clean(redactor: Redactor, texts: Sequence[str]) -> None:
    """Clean texts as the collector does: look up, and ask for the others in calls."""
    asked: list[Item] = [(text, None) for text in texts if redactor.lookup(text, None) is None]
    for start in range(0, len(asked), CALL_TEXTS):
        redactor.clean_now(asked[start : start + CALL_TEXTS])


def timed(work: Callable[[], object]) -> float:
    """Return the seconds of processor time that `work` takes in this process: other work disturbs it less than it does the clock."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def speeds(bench: Bench) -> Iterator[Row]:
    """Yield a row for every kind and share of findings and way of cleaning; rounds go over all of them in turn."""
    cases = [(kind, 0.0) for kind in KINDS] + [("mixed", share) for share in SHARES]
    measured: dict[tuple[str, float, str], list[tuple[float, float]]] = {}
    for number in range(bench.rounds):
        for kind, share in cases:
            size = len(bench.texts(kind, 1, "size", 0)[0])
            for way, run in bench.ways.items():
                texts = bench.texts(kind, bench.count(way, size), f"{number}/{kind}/{share}", share)
                megabytes = sum(len(text.encode()) for text in texts) / 1e6
                seconds = run(texts)
                measured.setdefault((kind, share, way), []).append((len(texts) / seconds, megabytes / seconds))
    for (kind, share, way), rates in measured.items():
        a_second = [each for each, _ in rates]
        stock = statistics.median(each for each, _ in measured[kind, share, "stock"])
        yield {
            "texts": kind,
            "with_findings": share,
            "way": way,
            "texts_per_second": round(statistics.median(a_second), 1),
            "mb_per_second": round(statistics.median(each for _, each in rates), 3),
            "times_stock": round(statistics.median(a_second) / stock, 1),
            "spread": round((max(a_second) - min(a_second)) / statistics.median(a_second), 2),
        }


def confirmations(bench: Bench, count: int) -> Iterator[Row]:
    """Yield how long a text of 300 B with one finding takes, by kind of finding: the recognizers alone, and all of it."""
    for kind in CONFIRMED:
        chance = Random(kind)
        maker = Texts(chance, density=0)
        texts = [with_finding(maker.prose(), chance, kind) for _ in range(count)]
        confirmed = [timed(lambda text=text: bench.scanner.verdict(text, ())) for text in texts]  # type: ignore[misc]
        whole = [timed(lambda text=text: bench.new.clean_now([(text, None)])) for text in texts]  # type: ignore[misc]
        yield {
            "finding": kind,
            "confirmation_us_median": round(statistics.median(confirmed) * 1e6, 1),
            "confirmation_us_p99": round(sorted(confirmed)[len(confirmed) * 99 // 100] * 1e6, 1),
            "cleaning_us_median": round(statistics.median(whole) * 1e6, 1),
        }


def starts(folder: Path) -> Row:
    """Compile the database of the default policy, read it back, and tell how large it is."""
    config = RedactionConfig()
    wanted = conditions(config, detectors(config))
    cold = timed(lambda: open_gate(wanted, folder))
    warm = [timed(lambda: open_gate(wanted, folder)) for _ in range(5)]
    size = sum(path.stat().st_size for path in folder.glob("prefilter-*"))
    return {"cold_seconds": round(cold, 2), "warm_seconds": round(statistics.median(warm), 3), "bytes_on_disk": size}


def print_rows(rows: Sequence[Row]) -> None:
    """Print rows that have the same columns as a table."""
    print()
    print("".join(f"{name.replace('_', ' '):>24}" for name in rows[0]))
    for row in rows:
        print("".join(f"{each:>24,}" if isinstance(each, float | int) else f"{each!s:>24}" for each in row.values()), flush=True)


def main() -> None:
    """Measure everything and print it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="few texts and one round: half a minute, and only orders of magnitude")
    options.add_argument("--json", type=Path, metavar="FILE", help="also write the JSON there")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started = starts(folder)
        print_rows([started])
        bench = Bench(folder, quick=chosen.quick)
        result = {
            "benchmark": "redaction",
            "start": started,
            "speeds": list(speeds(bench)),
            "confirmations": list(confirmations(bench, 40 if chosen.quick else 200)),
            "replays": list(replay.measures(bench.stock, folder, conversations=1 if chosen.quick else 6, rounds=bench.rounds)),
            "memory": replay.memory(folder, texts=50_000 if chosen.quick else 1_000_000),
        }
        bench.close()
    for part in ("speeds", "confirmations", "replays"):
        print_rows(result[part])  # type: ignore[arg-type]
    print_rows([result["memory"]])  # type: ignore[list-item]
    document = json.dumps(result)
    print(document)
    if chosen.json:
        chosen.json.write_text(document + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
