"""The generated parts of docs/dialects.md: which dialects there are and which attributes fill which column. The text around them is
written by hand and stays.
"""

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from collector.dialects import DIALECTS, genai
from collector.dialects.names import COMMON, METRIC, RESOURCE, VOCABULARY, Names
from collector.dialects.record import Dialect

PAGE = Path(__file__).parent / "dialects.md"
_PART = re.compile(r"(?P<begin><!-- generated: (?P<name>[\w-]+) -->\n)(?P<text>.*?)(?P<end><!-- end -->)", re.DOTALL)
_HEADING = "| column | attributes, the best first |\n|---|---|\n"


def dialects_page() -> str:
    """Return docs/dialects.md with its generated parts as the code is now."""
    parts = {"dialects": _table_of_dialects, "names": _names_of_dialects}

    def write(match: re.Match[str]) -> str:
        return match["begin"] + "\n" + "".join(parts[match["name"]]()) + "\n" + match["end"]

    return _PART.sub(write, PAGE.read_text(encoding="utf-8"))


def _table_of_dialects() -> Iterator[str]:
    yield "| `dialect` | recognised by | reads |\n|---|---|---|\n"
    for dialect in DIALECTS:
        yield f"| `{dialect.name}` | {dialect.recognised_by} | {dialect.reads} |\n"


def _names_of_dialects() -> Iterator[str]:
    shared = {
        "Of every dialect, before its own names": VOCABULARY,
        "Of every dialect, behind its own names": COMMON,
        "Of the resource": RESOURCE,
        "Of a metric's data point": METRIC,
    }
    for title, names in shared.items():
        yield f"### {title}\n\n{_HEADING}" + "".join(_rows(names)) + "\n"
    for dialect in DIALECTS:
        yield from _of_dialect(dialect)


def _of_dialect(dialect: Dialect) -> Iterator[str]:
    module = sys.modules[dialect.read_span.__module__]
    names: Names = module.NAMES
    builds_on = module is not genai and names.keys() >= genai.NAMES.keys()
    own = {column: entry for column, entry in names.items() if not builds_on or entry[1] != genai.NAMES.get(column, (None, ()))[1]}
    yield f"### `{dialect.name}`, version {dialect.version}\n\n{_explanation(module)}\n\n"
    if builds_on:
        yield "The names of `otel-genai`" + (", but for:\n\n" if own else ".\n\n")
    if own:
        yield _HEADING + "".join(_rows(own)) + "\n"


def _explanation(module: ModuleType) -> str:
    """What the module says of itself, as one paragraph each."""
    return re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.getdoc(module) or "")


def _rows(names: Names) -> Iterator[str]:
    for column, (_, attributes) in names.items():
        yield f"| `{column}` | {', '.join(f'`{attribute}`' for attribute in attributes)} |\n"
