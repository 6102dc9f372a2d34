"""Steps of real frameworks: their captures, decoded and reconstructed, run by run."""

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


@cache
def runs_of(framework: str) -> list[list[Step]]:
    """Return the steps of every run in the captures of a framework, the first run first."""
    decoder = Decoder("node/collector", 0)
    for path in ALL:
        if path.name.startswith(framework + "-0"):
            decoder.add(header(path.stem.rsplit("-", 1)[1]), path.read_bytes())
    tables = decoder.tables(os.urandom)
    rows = {name: tables[name].to_pylist(maps_as_pydicts="strict") if name in tables else [] for name in ("spans", "events")}
    joins = resolve(decoder.runs.joins.values(), Nothing())
    with TemporaryDirectory() as folder:
        write_lake(Path(folder), spans=rows["spans"], events=rows["events"], trace_runs=joins)
        with Lake.open(Path(folder)) as lake:
            listed = list_runs(lake, RunFilter(descending=False))
            found = [reconstruct(lake, run["run_id"]) for run in listed]
    return [one["steps"] for one in found if one is not None]
