"""Fuzzing of everything that reads what was sent: `python -m benchmarks.soak decoder [--inputs N] [--seed S]`. Needs atheris.

A fuzzer takes inputs through decompression, protobuf and JSON, admission, redaction, the encoding of answers, and the decoding into
rows, led by the branches that they reach. Then everything that it kept is taken again and again in a fresh process, to see whether memory
grows. A defect is an exception that is no refusal, a second of processor time for one input, or memory that grows; then the exit status is
1, and the input is left in the folder that is named.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from benchmarks.soak.decoding import prepare, seeds, take

RESULT: Final = Path(__file__).parent.parent / "results/soak-decoder.json"
ROOT: Final = Path(__file__).parents[2]
SLOWEST_SECONDS: Final = 1.0
PASSES: Final = 5
MOST_GROWTH_MIB: Final = 8.0


def main(arguments: Sequence[str]) -> bool:
    """Fuzz, replay, write the result down; returns whether nothing was found."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.soak decoder", description=__doc__)
    options.add_argument("--inputs", type=int, default=200_000, help="how many")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--json", type=Path, default=RESULT, help="where the result is written")
    chosen = options.parse_args(arguments)
    begun, commit = time.monotonic(), _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--", "collector", "storage").splitlines()
    folder = Path(tempfile.mkdtemp(prefix="soak-decoder-"))
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number:04}").write_bytes(seed)
    fuzzed = fuzz(corpus, folder, chosen.inputs, chosen.seed)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        replayed = pool.apply(replay, (corpus,))
    slowest_seconds = max(fuzzed["slowest_seconds"], replayed["slowest_seconds"])
    taken = sum(fuzzed["outcomes"].values())
    found = (
        fuzzed["status"] != 0 or slowest_seconds > SLOWEST_SECONDS or replayed["growth_mib"] > MOST_GROWTH_MIB or taken < chosen.inputs // 2
    )
    result = {
        "soak": "decoder",
        "seed": chosen.seed,
        "commit": commit,
        "changed_since": changed,
        "versions": {name: version(name) for name in ("atheris", "protobuf", "orjson", "pyarrow")} | {"python": sys.version.split()[0]},
        "inputs": chosen.inputs,
        "fuzzed": fuzzed,
        "replayed": replayed,
        "slowest_seconds": slowest_seconds,
        "defects": int(found),
        "seconds": round(time.monotonic() - begun, 1),
    }
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    print(f"{'a defect: see ' + str(folder) if found else 'no defect'}; written to {chosen.json}")
    return not found


def fuzz(corpus: Path, folder: Path, inputs: int, seed: int) -> dict[str, Any]:
    """Run the fuzzer in a process of its own, which it ends itself; return what it saw and its exit status."""
    report = folder / "report.json"
    command = [sys.executable, "-m", "benchmarks.soak.decoding", str(corpus), str(report), str(inputs), str(seed)]
    with (folder / "fuzzer.log").open("wb") as log:
        status = subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, check=False).returncode
    lines = (folder / "fuzzer.log").read_text(errors="replace").splitlines()
    stats = {
        name: int(value) for name, _, value in (line.removeprefix("stat::").partition(":") for line in lines if line.startswith("stat::"))
    }
    covered = next((line.split("cov: ")[1].split()[0] for line in reversed(lines) if "cov: " in line), "0")
    if status:
        print("\n".join(lines[-60:]))
    return {
        "status": status,
        **json.loads(report.read_text()),
        "branches": int(covered),
        "kept": stats.get("new_units_added", 0),
        "peak_rss_mib": stats.get("peak_rss_mb", 0),
    }


def replay(corpus: Path) -> dict[str, Any]:
    """Take everything that the fuzzer kept, again and again; growth counts from the end of the second pass."""
    inputs = [file.read_bytes() for file in sorted(corpus.iterdir())]
    slowest_seconds, rss = 0.0, []
    prepare()
    for _ in range(PASSES):
        for data in inputs:
            begun = time.process_time()
            take(data)
            slowest_seconds = max(slowest_seconds, time.process_time() - begun)
        rss.append(_rss_mib())
    return {
        "inputs": len(inputs) * PASSES,
        "slowest_seconds": round(slowest_seconds, 3),
        "rss_mib": [round(each, 1) for each in rss],
        "growth_mib": round(rss[-1] - rss[1], 1),
    }


def _rss_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
