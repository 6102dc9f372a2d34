"""How long the pages take: `python -m benchmarks.dashboard [--spans N] [--json FILE]`; about a minute.

A lake of N spans of the last day is made as a sealer makes it, `auditlake dashboard` serves it, and a real Chromium opens every page.
`cold` is the first visit (the server imports, the browser has an empty cache and no answer is known); `warm` is the median of further
visits, each over a lake that changed in between, so that every answer is asked for again. First paint is when the page's title stands,
content when its first answer does, complete when its last one does.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from playwright.sync_api import BrowserContext, sync_playwright

from tests.browser.conftest import FLAGS
from tests.dashboards import fixture_lake

RUNS_A_TILE = 900
WARM_VISITS = 3
PAGES = {
    "overview": ("/overview", "text=Alerts firing"),
    "runs": ("/runs", "text=rows 1–50 shown"),
    "run": (f"/run?run={fixture_lake.RUN_SUPPORT}", "text=Waterfall"),
    "run_646_steps": (f"/run?run={fixture_lake.RUN_LONG}", "text=Waterfall"),
}
STAGES = ("first_paint", "content", "complete")
Measure = dict[str, float | str]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--spans", type=int, default=300_000)
    arguments.add_argument("--json", type=Path)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="auditlake-bench-") as folder:
        found = measure(Path(folder), given.spans)
    for row in found:
        print(f"{row['name']:<40} {row['value']:>10} {row['unit']}")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


def measure(folder: Path, spans: int) -> list[Measure]:
    """Make the lake, serve it, visit every page cold and warm."""
    made, entry = make_lake(folder / "lake", spans)
    found: list[Measure] = [{"name": "dashboard.spans", "value": made, "unit": "spans"}]
    port = _free_port()
    command = [sys.executable, "-m", "cli", "dashboard", "--data", str(folder / "lake"), "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(Path.cwd())}, stdout=subprocess.DEVNULL) as server:
        try:
            site = f"http://127.0.0.1:{port}"
            _wait(f"{site}/_stcore/health")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), headless=True, args=FLAGS)
                context = browser.new_context(viewport={"width": 1440, "height": 1000})
                for name, (path, words) in PAGES.items():
                    found += _row(f"dashboard.{name}.cold", [_visit(context, site + path, words)])
                    warm = []
                    for _ in range(WARM_VISITS):
                        entry += 1
                        _change(folder / "lake", entry)
                        time.sleep(6)  # the dashboard looks for a new version every five seconds
                        warm.append(_visit(context, site + path, words))
                    found += _row(f"dashboard.{name}.warm", warm)
                browser.close()
        finally:
            server.terminate()
    return found


def make_lake(data: Path, spans: int) -> tuple[int, int]:
    """A day in slices, each the same history at another time under other ids; returns the number of spans and the last entry."""
    now = time.time_ns()
    rows = len(fixture_lake.history(now, runs=RUNS_A_TILE, hours=1.0).spans)
    slices = max(round(spans / rows), 1)
    tables = fixture_lake.history(now, runs=RUNS_A_TILE, hours=23.5 / slices).tables()
    for entry in range(1, slices + 1):
        back = (entry - 1) * int(23.5 / slices * 3_600_000_000)
        tile = {name: _moved(_renamed(table, entry), back) if entry > 1 else table for name, table in tables.items()}
        fixture_lake.publish_tables(data, tile, now - back * 1000, entry=entry)
    return slices * tables["spans"].num_rows, slices


def _moved(table: pa.Table, microseconds: int) -> pa.Table:
    """The same rows so much earlier."""
    for place, column in enumerate(table.schema):
        if pa.types.is_timestamp(column.type):
            table = table.set_column(place, column, pc.subtract(table.column(place), pa.scalar(microseconds, pa.duration("us"))))
        elif column.name.endswith("_ns"):
            table = table.set_column(place, column, pc.subtract(table.column(place), microseconds * 1000))
    return table


def _renamed(table: pa.Table, entry: int) -> pa.Table:
    for name in ("run_id", "trace_id", "span_id", "parent_span_id", "response_id"):
        place = table.schema.get_field_index(name)
        if place >= 0:
            kept = pc.utf8_slice_codeunits(table.column(place), 3, 1_000_000)
            parts = [pa.scalar(f"{entry:03x}", pa.large_string()), kept, pa.scalar("", pa.large_string())]
            table = table.set_column(place, table.schema.field(place), pc.binary_join_element_wise(*parts))
    place = table.schema.get_field_index("entry")
    return table.set_column(place, table.schema.field(place), pa.array([entry] * table.num_rows, pa.int64()))


def _change(data: Path, entry: int) -> None:
    now = time.time_ns()
    rows = fixture_lake.Rows()
    fixture_lake.live(rows, fixture_lake.random.Random(entry), f"live{entry:08x}", now)
    fixture_lake.publish(data, rows, now, entry=entry)


def _visit(context: BrowserContext, url: str, words: str) -> list[float]:
    """Seconds until the title, the first answer and the last words stand."""
    page = context.new_page()
    began = time.perf_counter()
    page.goto(url)
    found = []
    for selector in ("h1", words, "text=As of"):
        page.wait_for_selector(selector, timeout=60_000)
        found.append(time.perf_counter() - began)
    page.close()
    return found


def _row(name: str, visits: list[list[float]]) -> list[Measure]:
    medians = [round(statistics.median(values), 3) for values in zip(*visits, strict=True)]
    return [{"name": f"{name}.{what}", "value": value, "unit": "s"} for what, value in zip(STAGES, medians, strict=True)]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(url: str) -> None:
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.1)
    raise SystemExit("the dashboard did not start")


if __name__ == "__main__":
    main()
