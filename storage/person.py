"""Which rows are about a person: that name them under a key that says who, are steps of their runs, or mention them anywhere.

A mention is the name as a whole word of any text of the row, in any nesting, whatever its case. What is looked at is what stands in the
files, sealed rows and derivations alike.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final
from urllib.parse import quote, quote_plus

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from storage.catalog import Catalog
from storage.lake import Lake
from storage.rows import Rows
from storage.scanning import Scanner, note_found, places
from storage.schema import TABLES
from storage.views import query_sql

STORED: Final = re.compile(r"<[A-Z][A-Z0-9_]*:(?:v1:)?(?P<digits>[0-9a-f]{16,})>")
"""What stands for an original: a pseudonym, a hash, a reference of the vault."""
LEAST_MENTION_CHARS: Final = 4
"""Shorter names are looked for where they stand alone under a key that says who: inside of texts too many others would be hit."""
LEAST_NUMBER_DIGITS: Final = 6
"""The same of names that are numbers."""
_QUOTE: Final = re.compile(r'\\*"')
"""Also as JSON inside of JSON has it."""
_RUN: Final = re.compile(r"[\w-]+")


def mention(names: Sequence[str]) -> str | None:
    """Return the expression (RE2) that finds these names as whole words, also where JSON or a URL writes them; None for short ones.

    Of what stands for an original its digits are looked for: no other text has them.
    """
    forms: list[str] = []
    for name in names:
        if stored := STORED.fullmatch(name):
            forms.append(stored["digits"])
        elif _is_long(name):
            forms += written(name)
    return "(?i)" + "|".join(_word(form) for form in dict.fromkeys(forms)) if forms else None


def mentioned(names: Sequence[str], runs: Collection[str]) -> Callable[[str], bool]:
    """Return what tells whether a text has one of these names as `mention` finds them, or one of these runs, of which there may be many.

    A run is a word of the text; that, and a short name, may also be all of the text or all of a string of JSON in it.
    """
    pattern = mention(names)
    named = None if pattern is None else re.compile(pattern)
    whole = {form.lower() for name in (*names, *runs) for form in (name, json.dumps(name)[1:-1])}
    words = {run.lower() for run in runs if _is_long(run)}

    def has(text: str) -> bool:
        lowered = text.lower()
        is_named = named is not None and named.search(text) is not None
        return is_named or not whole.isdisjoint(_QUOTE.split(lowered)) or not words.isdisjoint(_RUN.findall(lowered))

    return has


def _is_long(name: str) -> bool:
    return len(name) >= LEAST_MENTION_CHARS and not (name.isdecimal() and len(name) < LEAST_NUMBER_DIGITS)


def written(name: str) -> list[str]:
    """Return how texts can have a name: as it is, composed or decomposed (Unicode), and as JSON or a URL writes it."""
    cases = (name,) if name.isascii() else (name, name.lower(), name.upper())  # an escape knows no case
    texts = [unicodedata.normalize(form, case) for form in ("NFC", "NFD") for case in cases]
    written_as = (str, lambda text: orjson.dumps(text).decode()[1:-1], lambda text: json.dumps(text)[1:-1], quote, _quoted, quote_plus)
    return list(dict.fromkeys(write(text) for text in (name, *texts) for write in written_as))


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _word(text: str) -> str:
    begin = r"\b" if text[0].isascii() and text[0].isalnum() else ""
    end = r"\b" if text[-1].isascii() and text[-1].isalnum() else ""
    return begin + re.escape(text).replace(r"\\", r"\\+") + end  # JSON inside of JSON has more backslashes


def of_person(lake: Lake, catalog: Catalog, scanner: Scanner, names: Sequence[str], keys: Sequence[str]) -> Rows:
    """Return the rows that are about the person with these names; `keys` are attributes that say who. Raises `StorageError`."""
    lowered = [name.lower() for name in names]
    pattern = mention(names)
    condition = "acts OR named" + (" OR regexp_matches(texts, $pattern)" if pattern else "")
    params: dict[str, Any] = {"names": lowered, "keys": list(keys)} | ({"pattern": pattern} if pattern else {})
    found, runs = Rows(), set[str]()
    for file, rows in scanner.rows(lambda schema: _rows_sql(schema, condition), params):
        note_found(found, file, rows)
        for row in rows.filter(rows["acts"]).select(["run_id", "trace_id"]).to_pylist():
            runs.update({row["run_id"], row["trace_id"]} - {None})
    return _with_runs(lake, catalog, found, sorted(runs), lowered)


def _with_runs(lake: Lake, catalog: Catalog, found: Rows, stated: list[str], names: list[str]) -> Rows:
    """Add the rows of the person's runs."""
    if stated:
        final = catalog.run_of_traces(stated)
        runs = sorted({*stated, *(run for run in final.values() if run)})
        rows = lake.sql(query_sql("person_runs"), {"run_ids": runs, "names": names})
        for table in TABLES:
            found.note(table, rows.filter(pc.equal(rows["of_table"], table)))
    return found


def _rows_sql(schema: pa.Schema, condition: str) -> str:
    """The rows of one file for which a condition holds that looks at `acts`, `named` and `texts`."""
    named = [f"list_contains($names, lower({column}))" for column in ("actor", "approver") if column in schema.names]
    acts = named[0] if "actor" in schema.names else "false"
    for field in schema:
        if pa.types.is_map(field.type) and pa.types.is_large_string(field.type.item_type):
            said = "list_contains($keys, _a.key) AND list_contains($names, lower(_a.value))"
            named.append(f"len(list_filter(map_entries({field.name}), lambda _a: {said})) > 0")
    trace = "trace_id" if "trace_id" in schema.names else "NULL::VARCHAR"
    return f"""
        SELECT {places(schema)}, run_id, {trace} AS trace_id, acts
        FROM (
            SELECT
                *, coalesce({acts}, false) AS acts, coalesce({" OR ".join(named)}, false) AS named,
                {all_texts(schema)} AS texts
            FROM {{files}}
        )
        WHERE {condition}"""  # noqa: S608  # nosec B608 - names of columns


def all_texts(schema: pa.Schema) -> str:
    """Return SQL for every text of a row with these columns, in any nesting, a line each."""
    texts = ", ".join(f"({text})" for field in schema if (text := _texts(field.name, field.type, 0)) is not None)
    return f"array_to_string(flatten([{texts}]), chr(10))"


def _texts(value: str, kind: pa.DataType, depth: int) -> str | None:
    """SQL for the list of all texts in a value; None for a type that holds none."""
    each = f"_t{depth}"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return f"[{value}]"
    if pa.types.is_map(kind):
        parts = [_texts(f"{each}.key", kind.key_type, depth + 1), _texts(f"{each}.value", kind.item_type, depth + 1)]
        inner, over = _concatenated(parts), f"map_entries({value})"
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner, over = _texts(each, kind.value_type, depth + 1), value
    elif pa.types.is_struct(kind):
        return _concatenated([_texts(f"{value}.{field.name}", field.type, depth) for field in kind])
    else:
        return None
    return None if inner is None else f"coalesce(flatten(list_transform({over}, lambda {each}: {inner})), [])"


def _concatenated(parts: Sequence[str | None]) -> str | None:
    known = [part for part in parts if part is not None]
    return None if not known else known[0] if len(known) == 1 else f"list_concat({', '.join(known)})"
