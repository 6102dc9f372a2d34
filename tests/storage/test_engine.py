"""The DuckDB instances behind a lake."""

from contextlib import closing

from storage import early
from storage.engine import define
from storage.views import CREATED


def test_a_view_is_bound_when_it_is_read_and_not_when_it_is_defined() -> None:
    """Each is bound with all that it reads: where definitions did that too, a query took twice as long."""
    with closing(early.instance()) as connection:
        define(connection, reversed(CREATED))
        bound = connection.execute("SELECT count(*), count(*) FILTER (is_bound) FROM duckdb_views() WHERE NOT internal").fetchone()
    assert bound == (len(CREATED), 0)
