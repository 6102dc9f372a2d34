"""The SQL that readers share: which views there are, in the order in which they build on each other, and where their text is."""

import re
from functools import cache
from pathlib import Path
from typing import Final

from storage.schema import CANONICAL, METRIC_CANONICAL

VIEWS: Final = (
    "spans", "events", "metrics", "steps", "runs", "model_calls", "tool_calls", "retrieval_issues", "retrievals", "memory_ops",
    "approvals", "policy_decisions", "evals", "task_transitions", "tasks", "queues", "heartbeats", "agent_liveness", "security_events",
    "rollouts", "assurance_checks", "audit_actions", "resilience_events", "agent_metrics", "audit_writes", "ingest_log",
    "redaction_log", "access_log", "alert_log", "recordings", "tool_authorizations", "contract_gaps",
)  # fmt: skip
"""The views that every reader gets, as documented in docs/query.md."""

CREATED: Final = (
    "_derivation_rows", "_span_rows", "_event_rows", "_metric_rows", "spans", "events", "metrics", "_span_steps", "_event_steps",
    "_approval_steps", "_execution_steps", "_pending_steps", "_all_steps", "_step_keys", "_run_parents", "_repeated_steps",
    "_model_keys", "_agent_totals", "_uncounted", "_counted_steps", "_named_events", *VIEWS[3:-1], "_contract_checks", "contract_gaps",
)  # fmt: skip
"""All of them, each after those that it reads; a leading underscore puts a view into the schema `internal`."""

STORED: Final = {"_span_rows": "spans", "_event_rows": "events", "_metric_rows": "metrics", "_derivation_rows": "derivations"}
"""The views that read files, and the tables whose files they are."""

DERIVED: Final = {"_span_rows": "spans", "_event_rows": "events", "_metric_rows": "metrics"}
"""The views whose rows may have been read again (`storage.derivations`), and their tables."""

MACROS: Final = ("normalised_name", "bounded_name", "top_names", "bucket_percentile", "added_buckets")
"""Functions that every reader gets beside DuckDB's own, `sql/macros/<name>.sql`, as documented in docs/vocabulary.md and docs/query.md."""

_SQL: Final = Path(__file__).with_name("sql")
_WORD: Final = re.compile(r"\w+")
_COMMENT: Final = re.compile(r"--.*")
_SOURCE: Final = re.compile(r"\b(?:FROM|JOIN)\s+(internal\.)?(\w+)")
_COMMENT_LINE: Final = re.compile(r"^--.*\n", re.MULTILINE)


@cache
def view_sql(name: str) -> str:
    """Return the SELECT behind a view of `CREATED`, of a lake where no row was read again."""
    return _read("views", name)


@cache
def derived_sql(name: str) -> str:
    """Return the SELECT behind a view of `DERIVED` with the newest derivation of each row in the place of what was sealed."""
    read = METRIC_CANONICAL if DERIVED[name] == "metrics" else CANONICAL
    columns = ",\n        ".join(f"CASE WHEN d.of_row IS NULL THEN s.{column} ELSE d.{column} END AS {column}" for column, _ in read)
    return _read("views", "_derived_rows").format(sealed=view_sql(name), table=DERIVED[name], columns=columns)


@cache
def query_sql(name: str) -> str:
    """Return the text of a named query, `sql/queries/<name>.sql`."""
    return _read("queries", name)


def created(name: str, *, derived: bool = False) -> str:
    """Return the statement that creates a function or a view, whether it is there or not; `derived`: in a lake with derivations.

    A view is bound when it is read, not here, where all behind it would be bound again for each one.
    """
    if name in MACROS:
        return f"CREATE OR REPLACE MACRO {name}{_COMMENT_LINE.sub('', _read('macros', name))}"
    text = derived_sql(name) if derived and name in DERIVED else view_sql(name)
    return f"CREATE OR REPLACE VIEW {qualified(name)} WITH (DEFER_BINDING) AS\n{text}"


def qualified(name: str) -> str:
    """Return the name of a view of `CREATED` as SQL writes it."""
    return f"internal.{name[1:]}" if name.startswith("_") else name


@cache
def needed(text: str) -> tuple[str, ...]:
    """Return the functions and views that a query can use, each after those that it reads: those that it names, and those behind them."""
    words = set(_WORD.findall(text.lower()))
    wanted = {name for name in CREATED if name.removeprefix("_") in words}
    for name in reversed(CREATED):
        if name in wanted:
            wanted |= read_by(view_sql(name))
    words |= {word for name in wanted for word in _WORD.findall(view_sql(name))}
    return (*(MACROS if words.intersection(MACROS) else ()), *(name for name in CREATED if name in wanted))


def read_by(sql: str) -> frozenset[str]:
    """Return the views of `CREATED` that stand behind a FROM or JOIN of `sql`."""
    found = {("_" + name if schema else name) for schema, name in _SOURCE.findall(_COMMENT.sub("", sql))}
    return frozenset(found.intersection(CREATED))


def _read(folder: str, name: str) -> str:
    return (_SQL / folder / f"{name}.sql").read_text(encoding="utf-8")
