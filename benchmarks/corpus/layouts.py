"""The forms in which names and values are written: objects, mappings, tables, logs, queries. Values may be marked."""

import json
from collections.abc import Sequence
from random import Random

from benchmarks.corpus import filler

Pairs = Sequence[tuple[str, str]]


def fields(rng: Random, pairs: Pairs) -> str:
    """Return the pairs as JSON, YAML, TOML, XML, a form, or lines."""
    return rng.choice((json_object, json_object, yaml, toml, xml, lines, form))(rng, pairs)


def json_object(rng: Random, pairs: Pairs) -> str:
    separators, indent = rng.choice((((",", ":"), None), ((", ", ": "), None), ((",", ": "), 2)))
    return json.dumps(dict(pairs), ensure_ascii=False, separators=separators, indent=indent)


def yaml(rng: Random, pairs: Pairs) -> str:
    quote = rng.choice(("", "'", '"'))
    return f"{rng.choice(filler.SERVICES)}:\n" + "".join(f"  {name}: {quote}{value}{quote}\n" for name, value in pairs)


def toml(rng: Random, pairs: Pairs) -> str:
    equals = rng.choice((" = ", "="))
    return f"[{rng.choice(filler.SERVICES)}]\n" + "\n".join(f'{name}{equals}"{value}"' for name, value in pairs)


def xml(_: Random, pairs: Pairs) -> str:
    return "<record>" + "".join(f"<{name.replace(' ', '')}>{value}</{name.replace(' ', '')}>" for name, value in pairs) + "</record>"


def lines(rng: Random, pairs: Pairs) -> str:
    end = rng.choice(("\n", "\r\n"))
    return end.join(f"{name}: {value}" for name, value in pairs)


def form(rng: Random, pairs: Pairs) -> str:
    """Return lines as in a form or a letter: the name in words."""
    return rng.choice(("\n", "; ", " | ")).join(f"{name.replace('_', ' ').capitalize()}: {value}" for name, value in pairs)


def log_fields(rng: Random, pairs: Pairs) -> str:
    """Return a line of logfmt or of a structured logger."""
    quote = rng.choice(("", "", '"'))
    return f"time={filler.stamp(rng)} level={rng.choice(filler.LEVELS).lower()} " + " ".join(
        f"{name.replace(' ', '_')}={quote}{value}{quote}" for name, value in pairs
    )


def python_dict(rng: Random, pairs: Pairs) -> str:
    """Return the repr of a dict, or of a call with keyword arguments."""
    if rng.random() < 0.6:
        return repr(dict(pairs))
    keywords = ", ".join(f"{name.replace(' ', '_')}={value!r}" for name, value in pairs)
    return f"{rng.choice(filler.TOOLS)}({keywords})"


def query(rng: Random, name: str, value: str) -> str:
    """Return the query of a URL, where the value may stand anywhere."""
    pairs = [("page", str(rng.randint(1, 9))), (name, value), ("sort", "desc")]
    rng.shuffle(pairs)
    return "&".join(f"{one}={other}" for one, other in pairs)


def rows(rng: Random, header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Return a table as CSV, TSV, or as psql prints it."""
    separator = rng.choice((",", ";", "\t", "psql", "mysql"))
    if separator == "psql":
        return "\n".join(
            [" | ".join(header), "-+-".join("-" * len(name) for name in header), *(" | ".join(row) for row in body), f"({len(body)} rows)"]
        )
    if separator == "mysql":
        return "\n".join(f"| {' | '.join(row)} |" for row in [header, *body])
    quote = rng.choice(("", '"')) if separator != "\t" else ""
    return "\n".join(separator.join(f"{quote}{cell}{quote}" for cell in row) for row in [header, *body])


def table(header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Return a table of Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *body])
