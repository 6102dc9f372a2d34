"""DuckDB takes 30 to 50 ms to start for the first time in a process: who is going to read begins with it, and imports the rest then."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

import duckdb

_FIXED: Final[dict[str, Any]] = {
    "preserve_insertion_order": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
}
_begun: list[Future[duckdb.DuckDBPyConnection]] = []


def begin() -> None:
    """Start an instance in a thread of its own; the next `instance` is that one."""
    beside = ThreadPoolExecutor(max_workers=1)
    _begun.append(beside.submit(_started))
    beside.shutdown(wait=False)


def instance() -> duckdb.DuckDBPyConnection:
    """Return an instance in memory that nobody has used yet."""
    try:
        return _begun.pop().result()
    except IndexError:
        return _started()


def _started() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:", config=_FIXED)
