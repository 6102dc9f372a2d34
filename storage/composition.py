"""A query and the views that it reads as one statement, over tables of the connection's own where it has them.

The views of an excerpt (storage/excerpt.py) are never created: DuckDB binds a view when it is created and again wherever it is read, and
binding rows of a hundred columns is most of what reading one run costs.
"""

import re
from collections.abc import Collection
from functools import cache
from typing import Final

from storage.views import CREATED, qualified, read_by, view_sql

ONLY_WITH: Final = {
    "_approval_steps": "coalesce(bool_or(approval_state IS NOT NULL), false)",
    "_execution_steps": "coalesce(bool_or(dialect = 'execution'), false)",
    "_pending_steps": "coalesce(bool_or(operation = 'pending_span'), false)",
    "_repeated_steps": "coalesce(bool_or(dialect IN ('claude-code', 'codex', 'mcp')), false)",
}
"""What there must be among the spans for a view to have rows: where there is not, it need not be looked at."""

_INTERNAL: Final = re.compile(r"\binternal\.(\w+)")
_BRANCH: Final = r"\s*UNION ALL BY NAME\s+SELECT \* FROM {}\b"


@cache
def composed(text: str, tables: frozenset[str], without: frozenset[str] = frozenset()) -> str:
    """Return `text` with the views that it reads as common table expressions.

    `tables` are those of `storage.views.CREATED` (and `_trace_runs`) that stand as temporary tables, under their names without the
    underscore; branches of a union that read a view of `without` are left out. `text` has no WITH of its own.
    """
    texts: dict[str, str] = {}
    waiting = set(read_by(text))
    while waiting:
        name = waiting.pop()
        if name not in texts and name not in tables:
            texts[name] = _left_out(view_sql(name), without)
            waiting |= read_by(texts[name])
    parts = ",\n".join(f"{name} AS (\n{_renamed(texts[name], tables)}\n)" for name in CREATED if name in texts)
    return (f"WITH {parts}\n" if parts else "") + _renamed(text, tables)


def _left_out(text: str, without: Collection[str]) -> str:
    for name in without:
        text = re.sub(_BRANCH.format(re.escape(qualified(name))), "", text)
    return text


def _renamed(text: str, tables: frozenset[str]) -> str:
    return _INTERNAL.sub(lambda found: f"temp.{found[1]}" if f"_{found[1]}" in tables else f"_{found[1]}", text)
