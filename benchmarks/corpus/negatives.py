"""Texts in which there is nothing to remove: many ids of one kind in the forms in which they come, or a text that only looks suspicious."""

import json
from collections.abc import Callable, Sequence
from random import Random

from benchmarks.corpus import filler
from benchmarks.corpus.id_kinds import IDS
from benchmarks.corpus.ids import Make
from benchmarks.corpus.letters import digits
from benchmarks.corpus.prose import LINES
from benchmarks.corpus.prose import text_of as lines_of

Layout = Callable[[Random, str, Sequence[str]], str]
KINDS: tuple[str, ...] = (*(what for what, _, _ in IDS), *LINES)
MAKES: dict[str, tuple[tuple[str, ...], Make]] = {what: (tuple(names.split()), make) for what, names, make in IDS}


def assigned(rng: Random, name: str, values: Sequence[str]) -> str:
    between = rng.choice((": ", "=", " = ", ":"))
    return "\n".join(f"{name}{between}{value}" for value in values)


def array(_: Random, name: str, values: Sequence[str]) -> str:
    return json.dumps({name: list(values)}, ensure_ascii=False)


def objects(rng: Random, name: str, values: Sequence[str]) -> str:
    return json.dumps(
        [{"type": rng.choice(("order", "item", "run")), name: value, "count": rng.randint(0, 99)} for value in values], ensure_ascii=False
    )


def csv(rng: Random, name: str, values: Sequence[str]) -> str:
    separator = rng.choice((";", "\t", "|"))
    return "\n".join([f"n{separator}{name}{separator}status", *(f"{at}{separator}{value}{separator}ok" for at, value in enumerate(values))])


def logs(rng: Random, name: str, values: Sequence[str]) -> str:
    return "\n".join(
        f"{filler.stamp(rng)} {rng.choice(filler.LEVELS)} {rng.choice(filler.SERVICES)} processed {name}={value} in {rng.randint(1, 99)} ms"
        for value in values
    )


def listed(_: Random, name: str, values: Sequence[str]) -> str:
    return f"| {name} | ok |\n| --- | --- |\n" + "\n".join(f"| {value} | yes |" for value in values)


def told(rng: Random, name: str, values: Sequence[str]) -> str:
    words = name.replace("_", " ")
    return " ".join(f"The {words} is {value}, {rng.choice(('as expected', 'see above', 'done', 'still open'))}." for value in values)


def plain(rng: Random, _: str, values: Sequence[str]) -> str:
    return rng.choice((" ", "\n", ", ")).join(values)


def mapped(rng: Random, name: str, values: Sequence[str]) -> str:
    return repr([{name: value, "n": digits(rng, 2)} for value in values])


LAYOUTS: tuple[Layout, ...] = (assigned, array, objects, csv, logs, listed, told, plain, mapped)


def text_of(rng: Random, what: str) -> tuple[str, int]:
    """Return a text of one kind of negatives, and how many tokens it holds."""
    if what not in MAKES:
        return lines_of(rng, what)
    names, make = MAKES[what]
    values = [make(rng) for _ in range(rng.randint(6, 10) if what == "luhn-by-chance" else rng.randint(24, 60))]
    return rng.choice(LAYOUTS)(rng, rng.choice(names), values), len(values)
