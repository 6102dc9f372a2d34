"""What agents do to a redactor: every call sends the whole conversation again; and what a million distinct texts do to its memory."""

import gc
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Final

import psutil

from benchmarks.entities import email
from benchmarks.stock import Stock
from benchmarks.texts import Texts
from redaction.policy import RedactionConfig
from redaction.redactor import Redactor

TURNS: Final = 40
SHARE_WITH_FINDINGS: Final = 0.05
KEY: Final = b"benchmark" * 4
Call = Sequence[str]
Row = dict[str, object]


def conversation(seed: str) -> list[str]:
    """Return the messages of one conversation: questions, answers and the results of tools, one in twenty with a finding."""
    chance = Random(seed)
    quiet, loud = Texts(chance, density=0), Texts(chance, density=1)
    makers = (Texts.prose, Texts.tool_call, Texts.prose, Texts.code)
    return [
        makers[turn % len(makers)](loud if chance.random() < SHARE_WITH_FINDINGS else quiet) + (f" {turn}" if turn % 2 == 0 else "")
        for turn in range(TURNS)
    ]


def as_messages(messages: Sequence[str]) -> list[Call]:
    """Return the calls of a conversation as structured attributes: the walker sees each message as a text."""
    return [messages[: turn + 1] for turn in range(len(messages))]


def as_json(messages: Sequence[str]) -> list[Call]:
    """Return the calls as one string of JSON each, with all messages up to there (`gen_ai.input.messages`)."""
    parts = [{"role": ("user", "tool")[turn % 2], "parts": [{"type": "text", "content": each}]} for turn, each in enumerate(messages)]
    return [[json.dumps(parts[: turn + 1])] for turn in range(len(parts))]


def measures(stock: Stock, folder: Path, *, conversations: int, rounds: int) -> Iterator[Row]:
    """Yield, for both forms, how fast calls are cleaned one after the other, beside stock Presidio on the same texts."""
    for form, calls_of in (("a text a message", as_messages), ("one JSON a call", as_json)):
        ours: list[float] = []
        stocks: list[float] = []
        for number in range(rounds):
            said = [conversation(f"{number}/{each}") for each in range(conversations)]
            calls = [call for turns in zip(*map(calls_of, said), strict=True) for call in turns]
            redactor = Redactor(RedactionConfig(), pseudonym_key=KEY, cache_folder=folder)
            redactor.clean_now([("warm@example.com", None)])
            seconds, hits, lookups, megabytes = replayed(redactor, calls)
            ours.append(seconds)
            stocks.append(stock_seconds(stock, calls))
        faster = [theirs / seconds for theirs, seconds in zip(stocks, ours, strict=True)]
        yield {
            "form": form,
            "calls": len(calls),
            "texts": lookups,
            "known_share": round(hits / lookups, 4),
            "us_per_call": round(statistics.median(ours) / len(calls) * 1e6, 1),
            "mb_per_second": round(megabytes / statistics.median(ours), 2),
            "times_stock": round(statistics.median(faster), 1),
            "spread": round((max(ours) - min(ours)) / statistics.median(ours), 2),
        }


def replayed(redactor: Redactor, calls: Sequence[Call]) -> tuple[float, int, int, float]:
    """Clean every call; returns the seconds, the texts that were known and all texts, and megabytes."""
    hits = lookups = size = 0
    seen: set[str] = set()
    seconds = 0.0
    for call in calls:
        begun = time.perf_counter()
        asked = [(text, "gen_ai.input.messages") for text in call if redactor.lookup(text, "gen_ai.input.messages") is None]
        if asked:
            redactor.clean_now(asked)
        seconds += time.perf_counter() - begun
        lookups += len(call)
        hits += sum(text in seen for text in call)
        seen.update(call)
        size += sum(map(len, call))
    return seconds, hits, lookups, size / 1e6


def stock_seconds(stock: Stock, calls: Sequence[Call]) -> float:
    """Return what stock Presidio takes for all texts; each distinct one is timed once, and counted as often as it is sent.

    Of long series of growing texts every tenth is timed; the time is linear in the length.
    """
    texts = sorted({text for call in calls for text in call}, key=len)
    sample = texts if len(texts) <= len(calls) // 2 else texts[::10]
    taken = 0.0
    for text in sample:
        begun = time.perf_counter()
        stock.find(text, ())
        taken += time.perf_counter() - begun
    return taken / sum(map(len, sample)) * sum(len(text) for call in calls for text in call)


def memory(folder: Path, *, texts: int) -> Row:
    """Clean distinct short texts, one in a hundred with a finding, in a process of its own; returns what it takes."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_memory, (folder, texts))


def _memory(folder: Path, texts: int) -> Row:
    chance = Random(1)
    redactor = Redactor(RedactionConfig(), pseudonym_key=KEY, cache_folder=folder)
    redactor.clean_now([("warm@example.com", None)])
    process = psutil.Process(os.getpid())
    gc.collect()
    before, highest, half = process.memory_info().rss, 0, 0
    begun = time.perf_counter()
    for number in range(texts):
        text = f"write to {email(chance)} {number}" if number % 100 == 0 else f"step {number} of the plan is done, the next one follows"
        if redactor.lookup(text, None) is None:
            redactor.clean_now([(text, None)])
        if number % (texts // 50) == 0:
            highest = max(highest, process.memory_info().rss)
        if number == texts // 2:
            half = process.memory_info().rss
    mebibyte = 1 << 20
    return {
        "distinct_texts": texts,
        "seconds": round(time.perf_counter() - begun, 1),
        "rss_before_mib": round(before / mebibyte, 1),
        "rss_half_way_mib": round(half / mebibyte, 1),
        "rss_highest_mib": round(highest / mebibyte, 1),
        "rss_after_mib": round(process.memory_info().rss / mebibyte, 1),
        "cache_limit_mib": round(RedactionConfig().cache_bytes / mebibyte, 1),
    }
