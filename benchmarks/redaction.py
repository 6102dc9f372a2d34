"""What redaction costs on one core: `python -m benchmarks.redaction`; prints a table, then one line of JSON. Takes about a minute.

Texts are generated (seeded), all distinct within a row. `cached` is `Redactor.lookup` on texts that were seen; `uncached` is a redactor
without a cache that sees each text for the first time, in this process; `worker` is the same through the scanner process, asked in
calls of 32 texts; `stock` is every text given to Presidio's own engine with the same recognizers, context and threshold; `vanilla` is
`AnalyzerEngine` with its 17 predefined recognizers and no model.
"""

import argparse
import asyncio
import json
import random
import resource
import time
from collections.abc import Callable, Iterator, Sequence

import tldextract
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import NoOpNlpEngine

from redaction.policy import RedactionConfig
from redaction.presidio import Analyzer
from redaction.redactor import Redactor

KEY = b"benchmark" * 4
PROSE = """the agent looked up an order and found that it was shipped on time so no refund is due please tell customer we will call
back tomorrow model planned three steps with tool search database returned twelve rows nothing matched policy allows this action"""
WORDS = PROSE.split()
CALL_TEXTS = 32


def texts_of(kind: str, count: int, seed: int) -> list[str]:
    """Return `count` distinct texts of a kind."""
    chance = random.Random(seed)

    def words(number: int) -> str:
        return " ".join(chance.choices(WORDS, k=number))

    makers: dict[str, Callable[[int], str]] = {
        "short prose (100 chars)": lambda number: f"{words(17)} {number}",
        "message (1 kB)": lambda number: f"{words(190)} {number}.",
        "document (50 kB)": lambda number: f"{words(9500)} {number}.",
        "log line with times and ids": lambda number: (
            f"2026-11-21T12:{number % 60:02}:07.{number:06}Z INFO order {chance.randrange(10**5)} took {chance.random():.3f} s {words(6)}"
        ),
        "JSON tool call (400 chars)": lambda number: json.dumps(
            {
                "tool": words(1),
                "call": number,
                "arguments": {"query": words(20), "limit": 10, "filters": [words(3), words(4)]},
                "note": words(20),
            }
        ),
        "short prose with an e-mail": lambda number: f"{words(8)} jane{number}@example.com {words(8)}",
        "short prose with a card number": lambda number: f"{words(8)} 4111 1111 1111 1111 {words(8)} {number}",
    }
    return [makers[kind](number) for number in range(count)]


KINDS = {
    "short prose (100 chars)": 2000,
    "message (1 kB)": 1000,
    "document (50 kB)": 20,
    "log line with times and ids": 2000,
    "JSON tool call (400 chars)": 1000,
    "short prose with an e-mail": 1000,
    "short prose with a card number": 1000,
}


def main() -> None:
    """Measure every kind in every way."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--json", metavar="FILE", help="also write the JSON there")
    arguments = options.parse_args()
    rows = list(measures())
    print(f"{'texts':<32}{'way':<10}{'texts/s':>12}{'MB/s':>10}{'µs/text':>12}{'× stock':>10}")
    stock = {row["texts"]: row["texts_per_second"] for row in rows if row["way"] == "stock"}
    for row in rows:
        times = row["texts_per_second"] / stock[row["texts"]]
        print(
            f"{row['texts']:<32}{row['way']:<10}{row['texts_per_second']:>12,.0f}{row['mb_per_second']:>10,.2f}"
            f"{1e6 / row['texts_per_second']:>12,.2f}{times:>10,.1f}"
        )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    document = json.dumps({"benchmark": "redaction", "scanner_peak_mib": round(peak, 1), "rows": rows})
    print(document)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(document + "\n")


def measures() -> Iterator[dict[str, float | str]]:
    """Yield a row for every kind of text and way of cleaning."""
    config = RedactionConfig()
    analyzer = Analyzer(config)
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(cache_dir=None, suffix_list_urls=())  # vanilla would download the list
    vanilla = AnalyzerEngine(nlp_engine=NoOpNlpEngine([{"lang_code": "en", "model_name": "no_op"}]))
    uncached = Redactor(RedactionConfig(cache_bytes=0), pseudonym_key=KEY)
    cached = Redactor(RedactionConfig(cache_bytes=1 << 28), pseudonym_key=KEY)
    uncached.clean_now([("warm@example.com", None)])
    for kind, count in KINDS.items():
        texts = texts_of(kind, count, seed=1)
        few = texts[: max(10, count // 10)]
        cached.clean_now([(text, "k") for text in texts])
        yield row(kind, "cached", texts * 5, lambda each: [cached.lookup(text, "k") for text in each])
        yield row(kind, "uncached", texts, lambda each: uncached.clean_now([(text, "k") for text in each]))
        yield row(kind, "worker", texts, through_worker)
        yield row(kind, "stock", few, lambda each: [analyzer.find(text, ("k",)) for text in each])
        yield row(kind, "vanilla", few, lambda each: [vanilla.analyze(text, language="en", score_threshold=0.4) for text in each])


def through_worker(texts: Sequence[str]) -> float:
    """Clean `texts` in calls that all wait at once; returns the seconds without starting and ending the process."""

    async def run() -> float:
        redactor = Redactor(RedactionConfig(cache_bytes=0), pseudonym_key=KEY)
        await redactor.clean([("start@example.com", None)])
        begun = time.perf_counter()
        calls = (texts[start : start + CALL_TEXTS] for start in range(0, len(texts), CALL_TEXTS))
        await asyncio.gather(*(redactor.clean([(text, "k") for text in call]) for call in calls))
        seconds = time.perf_counter() - begun
        await redactor.close()
        return seconds

    return asyncio.run(run())


def row(kind: str, way: str, texts: Sequence[str], clean: Callable[[Sequence[str]], object]) -> dict[str, float | str]:
    """Time `clean` over `texts`, once."""
    begun = time.perf_counter()
    own = clean(texts)
    seconds = own if isinstance(own, float) else time.perf_counter() - begun
    size = sum(len(text.encode()) for text in texts)
    return {"texts": kind, "way": way, "texts_per_second": round(len(texts) / seconds, 1), "mb_per_second": round(size / seconds / 1e6, 3)}


if __name__ == "__main__":
    main()
