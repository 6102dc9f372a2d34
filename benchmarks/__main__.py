"""`make bench`: every benchmark one after the other, tables on the terminal, one JSON file in benchmarks/results/local.

`python -m benchmarks [NAME …]` runs some of them: ingest, audit, redaction, quality, alerts, budgets,
dashboard, storage, ledger, reading, command. Nothing else should use the machine;
these are measurements of one run, so compare ratios, and repeat before believing a difference.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks/results/local"
PROGRAMS = {"ingest": [], "audit": [], "redaction": [], "quality": [], "alerts": [], "budgets": [], "dashboard": ["--spans", "300000"]}
"""Those with a command line of their own that writes JSON, and its options."""
MEASURED = ("storage", "ledger", "reading", "command")
"""Those that give their measures one by one."""


def main() -> None:
    """Run the benchmarks that were named, or all."""
    names = sys.argv[1:] or [*PROGRAMS, *MEASURED]
    results: dict[str, Any] = {"machine": machine()}
    for name in names:
        print(f"\n== {name}", flush=True)
        results[name] = program(name) if name in PROGRAMS else measured(name)
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    file.write_text(json.dumps(results, indent=1) + "\n")
    print(f"\nwritten to {file.relative_to(ROOT)}")


def program(name: str) -> Any:
    """Run a benchmark in a process of its own and return its JSON."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *PROGRAMS[name], "--json", str(file)], cwd=ROOT, check=True)
        return json.loads(file.read_text())


def measured(name: str) -> list[dict[str, Any]]:
    """Print and return the measures of a benchmark that gives them one by one."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for what, value, unit in measures(name, Path(folder)):
            print(f"{what:60} {value:>12,.3f} {unit}", flush=True)
            found.append({"what": what, "value": value, "unit": unit})
    return found


def measures(name: str, folder: Path) -> Iterable[tuple[str, float, str]]:
    """Return the measures of a benchmark, as they come."""
    from benchmarks import ledger, reading, storage

    return {"storage": storage.measures, "ledger": ledger.measures, "reading": reading.measures, "command": command}[name](folder)


def command(_: Path) -> Iterable[tuple[str, float, str]]:
    """How long the command line takes to say what it can do."""
    times = []
    for _again in range(5):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-m", "cli", "--help"], cwd=ROOT, check=True, capture_output=True)
        times.append(time.perf_counter() - begun)
    yield "auditlake --help, median of five", sorted(times)[2] * 1000, "ms"


def machine() -> dict[str, Any]:
    """Return what decides the numbers, and the commit that was measured."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    return {
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "system": platform.system(),
        "commit": commit,
    }


if __name__ == "__main__":
    main()
