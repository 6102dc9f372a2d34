"""Sends a month of plausible history, day by day, through the real path: `python -m cli.demo.backfill --endpoint … --days 30 --seed 7`.

Sending it twice stores it twice where the collector no longer remembers the first: whoever starts it decides by `--mark`.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx

from cli.demo.history import days
from cli.demo.past import requests

QUIET_BEFORE_NOW: Final = timedelta(minutes=20)  # the recent past belongs to the live agents
PATIENCE_SECONDS: Final = 60.0
_AGAIN: Final = frozenset({429, 502, 503, 504})


def main(arguments: Sequence[str] | None = None) -> int:
    """Send the history; 0 when all of it was acknowledged."""
    parser = argparse.ArgumentParser(prog="python -m cli.demo.backfill")
    parser.add_argument("--endpoint", default="http://127.0.0.1:4318", help="OTLP/HTTP of the collector")
    parser.add_argument("--days", type=int, default=30, help="whole days before today")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--mark", type=Path, help="file to write once all of it is acknowledged")
    options = parser.parse_args(arguments)
    try:
        send(options.endpoint, options.days, options.seed, now=datetime.now(UTC))
    except httpx.HTTPError as error:
        print(f"backfill: the history was not acknowledged ({type(error).__name__}); is the collector running?", file=sys.stderr)
        return 1
    if options.mark is not None:
        options.mark.write_text("sent\n")
    return 0


def send(endpoint: str, count: int, seed: int, *, now: datetime) -> int:
    """Send `count` days before `now`, the oldest first; return the number of spans and log records."""
    records = 0
    with httpx.Client(base_url=endpoint, timeout=30.0, headers={"content-type": "application/x-protobuf"}) as client:
        for _day, release, runs in days(now - QUIET_BEFORE_NOW, count, seed):
            traces, logs = requests(runs, release)
            _post(client, "/v1/logs", logs)
            _post(client, "/v1/traces", traces)
            records += sum(len(run.spans) + len(run.logs) for run in runs)
    return records


def _post(client: httpx.Client, path: str, body: bytes) -> None:
    """Post one request until it is acknowledged; a busy or restarting collector gets time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            response = client.post(path, content=body)
            if response.status_code not in _AGAIN or time.monotonic() > deadline:
                response.raise_for_status()
                return
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.3)


if __name__ == "__main__":
    sys.exit(main())
