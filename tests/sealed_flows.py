"""What frameworks send, sealed into a lake: each flow a session of its own, so that many are read at once."""

from functools import cached_property
from pathlib import Path
from typing import Any

from storage.runs import reconstruct
from tests.collector.otlp_samples import NOW_NS, logs, traces
from tests.sealed_lake import Request, open_lake, seal

SECOND_NS = 1_000_000_000
Row = dict[str, Any]


def hexed(name: str, size: int) -> bytes:
    """An id made of a name."""
    return name.encode().rjust(size, b".")[-size:]


def span(name: str, identity: str, begin: float, end: float, /, *, trace: str = "trace", parent: str | None = None, **fields: Any) -> Row:
    """A span of `otlp_samples.traces`: ids are names, times are seconds after noon."""
    fields |= {"name": name, "trace_id": hexed(trace, 16), "span_id": hexed(identity, 8)}
    fields |= {"start": NOW_NS + int(begin * SECOND_NS), "end": NOW_NS + int(end * SECOND_NS)}
    return fields | ({"parent_span_id": hexed(parent, 8)} if parent else {})


def record(attributes: Row, seconds: float, /, *, trace: str | None = None, inside: str | None = None, **fields: Any) -> Row:
    """A log record of `otlp_samples.logs`, in a span or outside of any trace."""
    fields |= {"attributes": attributes, "time_unix_nano": NOW_NS + int(seconds * SECOND_NS)}
    return fields | ({"trace_id": hexed(trace, 16), "span_id": hexed(inside or "", 8)} if trace else {})


def spans_request(*spans: Row, scope: str, resource: Row) -> Request:
    return "traces", traces(*spans, scope=scope, resource=resource)


def logs_request(*records: Row, scope: str, resource: Row) -> Request:
    return "logs", logs(*records, scope=scope, resource=resource)


class Flows:
    """A lake with many flows; the views are read once."""

    def __init__(self, data: Path, *segments: list[Request]) -> None:
        self.data = seal(data, *segments)
        self.lake = open_lake(data)

    @cached_property
    def runs(self) -> list[Row]:
        return self.read("SELECT * FROM runs ORDER BY started_at, run_id")

    @cached_property
    def calls(self) -> list[Row]:
        return self.read("SELECT * FROM model_calls ORDER BY started_at, record_id")

    @cached_property
    def tools(self) -> list[Row]:
        return self.read("SELECT * FROM tool_calls ORDER BY started_at, record_id")

    @cached_property
    def approvals(self) -> list[Row]:
        return self.read("SELECT * FROM approvals ORDER BY time, record_id")

    @cached_property
    def policies(self) -> list[Row]:
        return self.read("SELECT * FROM policy_decisions ORDER BY time, record_id")

    def of(self, rows: list[Row], session: str) -> list[Row]:
        """Of these rows those of the runs of a session."""
        mine = {run["run_id"] for run in self.runs if run["session_id"] == session}
        return [row for row in rows if row["run_id"] in mine]

    def run(self, session: str) -> Row:
        """The one run of a session."""
        (only,) = [run for run in self.runs if run["session_id"] == session]
        return only

    def steps(self, session: str, kind: str) -> list[Row]:
        """The steps of a kind in the story of a session's one run."""
        whole = reconstruct(self.lake, self.run(session)["run_id"])
        assert whole is not None
        return [step for step in whole["steps"] if step["kind"] == kind]

    def read(self, query: str) -> list[Row]:
        """Return the rows of a query."""
        return self.lake.sql(query).to_pylist(maps_as_pydicts="strict")


def told(row: Row, **expected: Any) -> None:
    """Assert some columns of a row."""
    assert {name: row[name] for name in expected} == expected
