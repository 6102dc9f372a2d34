"""Runs of people in a lake, for what removes rows: each of two spans, of which the second names nobody, and a log record."""

import shutil
from pathlib import Path
from typing import Any

from storage.lake import Lake
from tests.collector.otlp_samples import NOW_NS, logs, traces

DAY_NS = 86_400 * 10**9
ALICE = "<EMAIL_ADDRESS:00aa11bb22cc33dd>"


def run(name: str, who: str, *, days: int = 0) -> list[tuple[str, Any]]:
    """The requests of somebody's run, so many days ago; `name` is its trace."""
    at = NOW_NS - days * DAY_NS
    ids = {"trace_id": name.encode().rjust(16, b"."), "start": at, "end": at + 10**9}
    agent = {"user.id": who, "gen_ai.operation.name": "invoke_agent"}
    spans = [
        {"name": "invoke_agent", "span_id": b"root....", **ids, "attributes": agent},
        {"name": "execute_tool", "span_id": b"tool....", "parent_span_id": b"root....", **ids, "attributes": {"said": f"for-{name}"}},
    ]
    records = [{"trace_id": ids["trace_id"], "span_id": b"root....", "time_unix_nano": at, "body": f"note of {name}"}]
    return [("traces", traces(*spans, scope="s", resource={})), ("logs", logs(*records, scope="s", resource={}))]


def left(data: Path) -> set[str]:
    """The runs of which rows are left."""
    with Lake.open(data) as lake:
        rows = lake.sql("SELECT trace_id FROM spans UNION SELECT trace_id FROM events").to_pylist()
    return {bytes.fromhex(row["trace_id"]).decode().strip(".") for row in rows if row["trace_id"]}


def copied(data: Path, target: Path) -> Path:
    """Another lake of the same content."""
    return Path(shutil.copytree(data, target))
