"""Steps of real frameworks: their captures, decoded, stored in one lake and reconstructed, run by run."""

import os
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from collector.decode import Decoder
from collector.joins import resolve
from storage.lake import Lake
from storage.runs import RunFilter, list_runs, reconstruct
from tests.collector.otlp_samples import header
from tests.collector.test_captures import ALL, Nothing
from tests.lake_builder import write_lake

Step = dict[str, Any]


def runs_of(framework: str) -> list[list[Step]]:
    """Return the steps of every run in the captures of a framework, the first run first."""
    return _runs()[framework]


def write_captures(data: Path) -> dict[str, str]:
    """Write the captures of all frameworks into one lake, and return of which framework each trace is."""
    rows: dict[str, list[dict[str, Any]]] = {"spans": [], "events": []}
    joins: dict[str, str | None] = {}
    of_trace: dict[str, str] = {}
    for framework in dict.fromkeys(path.name.rpartition("-0")[0] for path in ALL):
        decoder = Decoder("node/collector", 0)
        for path in ALL:
            if path.name.rpartition("-0")[0] == framework:
                decoder.add(header(path.stem.rsplit("-", 1)[1]), path.read_bytes())
        tables = decoder.tables(os.urandom)
        joins |= resolve(decoder.runs.joins.values(), Nothing())
        for name in rows.keys() & tables.keys():
            rows[name] += tables[name].to_pylist(maps_as_pydicts="strict")
            of_trace |= dict.fromkeys(tables[name].column("trace_id").to_pylist(), framework)
    write_lake(data, spans=rows["spans"], events=rows["events"], trace_runs=joins)
    return of_trace


@cache
def _runs() -> dict[str, list[list[Step]]]:
    found: dict[str, list[list[Step]]] = {}
    with TemporaryDirectory() as folder:
        of_trace = write_captures(Path(folder))
        with Lake.open(Path(folder)) as lake:
            for run in list_runs(lake, RunFilter(descending=False, limit=100)):
                whole = reconstruct(lake, run["run_id"])
                assert whole is not None
                found.setdefault(of_trace[whole["steps"][0]["trace_id"]], []).append(whole["steps"])
    return found
