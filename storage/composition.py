"""A query and the views that it reads as one statement, over tables of the connection's own where it has them.

What reads one run does not create views: DuckDB binds a view wherever it is read, and binding rows of a hundred columns is most of what
reading one run costs.
"""

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final

from storage.schema import TABLES
from storage.views import CREATED, DERIVED, derived_sql, qualified, read_by, view_sql

ONLY_WITH: Final = {
    "_approval_steps": "approval_state IS NOT NULL",
    "_execution_steps": "coalesce(dialect = 'execution', false)",
    "_pending_steps": "coalesce(operation = 'pending_span', false)",
    "_agent_totals": "coalesce(step_kind IN ('agent', 'run') AND coalesce(input_tokens, output_tokens, sent_cost_usd) IS NOT NULL, false)",
    "_repeated_steps": "coalesce(dialect IN ('claude-code', 'codex', 'mcp'), false)",
}
"""What must be so of one span at least for a view to have rows: where it is so of none, the view need not be looked at."""
NOTHING: Final = {
    "_agent_totals": "SELECT NULL::UBIGINT AS record_key WHERE false",
    "_repeated_steps": "SELECT NULL::UBIGINT AS record_key WHERE false",
    "_uncounted": "SELECT NULL::UBIGINT AS record_key, false AS retried WHERE false",
}
"""What stands for a view that has no rows, where it is no branch of a union."""

_VARIABLE: Final = re.compile(r"getvariable\('lake'\)\.(\w+)")
_INTERNAL: Final = re.compile(r"\binternal\.(\w+)")
_WORD: Final = re.compile(r"\w+")
_COMMENT: Final = re.compile(r"--.*")
_BESIDE: Final = ("date", "derived_from")
"""Columns of rows that are in no schema."""
_BRANCH: Final = r"\s*UNION ALL BY NAME\s+SELECT \* FROM {}\b"
_EVERY_COLUMN: Final = re.compile(r"\* REPLACE .*?'sealed' AS derived_from", re.DOTALL)
"""What a view of `DERIVED` selects of its files."""


@cache
def composed(
    text: str, tables: frozenset[str], without: frozenset[str] = frozenset(), *, derived: bool = False, narrow: bool = False
) -> str:
    """Return `text` with the views that it reads as common table expressions.

    `tables` are those of `storage.views.CREATED` (and `_trace_runs`) that stand as temporary tables, under their names without the
    underscore; views of `without` have no rows: branches of a union that read one are left out. `derived`: rows of the lake were read
    again. `narrow`: rows have no columns but those that something names, for a `text` that names what it returns. `text` has no WITH of its
    own.
    """
    texts: dict[str, str] = {}
    waiting = set(read_by(text))
    while waiting:
        name = waiting.pop()
        if name not in texts and name not in tables:
            whole = derived_sql(name) if derived and name in DERIVED else view_sql(name)
            texts[name] = NOTHING[name] if name in without and name in NOTHING else _left_out(whole, without)
            waiting |= read_by(texts[name])
    if narrow:
        words = frozenset(_WORD.findall(_COMMENT.sub("", " ".join([text, *(_EVERY_COLUMN.sub("", each) for each in texts.values())]))))
        texts |= {name: _narrowed(texts[name], DERIVED[name], words, derived=derived) for name in DERIVED if name in texts}
    parts = ",\n".join(f"{name} AS (\n{_renamed(texts[name], tables)}\n)" for name in CREATED if name in texts)
    return (f"WITH {parts}\n" if parts else "") + _renamed(text, tables)


def with_values(text: str, values: Mapping[str, Any]) -> str:
    """Return `text` with literals in the place of what it reads of the variable `lake`, whose fields these are."""
    return _VARIABLE.sub(lambda found: _literal(values[found[1]]), text)


def _literal(value: Any) -> str:
    match value:
        case bool() | float():
            return str(value)
        case int():
            return f"({value})::BIGINT"
        case datetime():
            return f"TIMESTAMP '{value.isoformat(sep=' ')}'"
        case list():
            return f"[{', '.join(map(_literal, value))}]"
    return "'" + str(value).replace("'", "''") + "'"


def _narrowed(text: str, table: str, words: frozenset[str], *, derived: bool) -> str:
    """Name the columns; in the place of all, where they are as stored: binding those takes longer than to read a few."""
    names = [name for name in (*TABLES[table].names, *_BESIDE) if name in words]
    if derived or "salt" in names:
        listed = ", ".join(f'"{name}"' for name in names)
        return f"SELECT {listed} FROM (\n{text}\n)"  # noqa: S608  # nosec B608 - names of ours
    return _EVERY_COLUMN.sub(", ".join("'sealed' AS derived_from" if name == "derived_from" else f'"{name}"' for name in names), text)


def _left_out(text: str, without: Collection[str]) -> str:
    for name in without:
        text = re.sub(_BRANCH.format(re.escape(qualified(name))), "", text)
    return text


def _renamed(text: str, tables: frozenset[str]) -> str:
    def name_of(found: re.Match[str]) -> str:
        view = f"_{found[1]}"
        return f"temp.{found[1]}" if view in tables else view if view in CREATED else found[0]

    return _INTERNAL.sub(name_of, text)
