"""Checking a rule's SQL without any data: is it a query that rules may run, and does it mean something over the published views?"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from alerts.errors import AlertsError
from alerts.rules import VALUE_COLUMN
from alerts.samples import check_columns
from storage import sandbox
from storage.catalog import Catalog
from storage.lake import Lake

CLOCKS: Final = frozenset({
    "now", "today", "age", "get_current_timestamp", "get_current_time", "transaction_timestamp", "current_timestamp", "current_date",
    "current_time", "current_localtime", "current_localtimestamp", "localtime", "localtimestamp",
})  # fmt: skip
CHANCE: Final = frozenset({"random", "setseed", "uuid", "uuidv4", "uuidv7", "gen_random_uuid"})


@contextmanager
def expression_check() -> Iterator[Callable[[str, Mapping[str, Any]], Mapping[str, str]]]:
    """Give a check for `load_rules`: the SQL is one SELECT, binds against the views, and returns a value and labels.

    It returns the labels, with the types of their columns.

    The views are those of an empty lake, in a temporary folder, so no lake is needed and no data is read.
    """
    with tempfile.TemporaryDirectory(prefix="auditlake-check-") as folder:
        data = Path(folder)
        Catalog.open(data).close()
        with Lake.open(data, memory_limit_mib=128, threads=1) as lake:
            known: dict[tuple[str, str], Mapping[str, str]] = {}

            def check(sql: str, params: Mapping[str, Any]) -> Mapping[str, str]:
                asked = (sql, repr(sorted(params.items())))
                if asked in known:
                    return known[asked]
                functions = sandbox.check(sql).functions
                for name in sorted(functions & CLOCKS):
                    raise AlertsError("use the rule", f"{name}()", hint="use $eval_ts, so that the rule can be tested and replayed")
                for name in sorted(functions & CHANCE):
                    raise AlertsError("use the rule", f"{name}()", hint="a rule must give the same answer each time")
                table = lake.query(sql, params=params)
                columns = {field.name: str(field.type) for field in table.schema}
                check_columns("of this rule", columns)
                known[asked] = {name: kind for name, kind in columns.items() if name != VALUE_COLUMN}
                return known[asked]

            yield check
