"""OTLP requests → a lake, as the collector makes it behind its acknowledgement: WAL segments, sealed one after the other."""

import secrets
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from collector.sealer import seal_pending
from storage.catalog import Catalog
from storage.lake import Lake
from storage.runs import RunFilter, list_runs, reconstruct
from storage.wal import BatchHeader, RecordType, WalWriter

RECEIVED_NS = 1_795_262_400 * 1_000_000_000  # 2026-11-21T12:00:00Z, after every capture
Request = tuple[str, Any]
"""Signal, and an export request or its bytes."""


def seal(data: Path, *segments: Iterable[Request], tenant: str | None = None, origin: str = "node/collector") -> Path:
    """Seal each group of requests as one segment, in order; returns `data`."""
    data.mkdir(parents=True, exist_ok=True)
    with closing(Catalog.open(data)) as catalog:
        for segment in segments:
            with closing(WalWriter(data, origin)) as writer:
                for signal, request in segment:
                    digest = secrets.token_hex(16)  # no request is a copy of another
                    header = BatchHeader(
                        signal=signal, tenant=tenant, received_ns=RECEIVED_NS, policy_hash="policy", records=1, digest=digest
                    )
                    payload = request if isinstance(request, bytes) else request.SerializeToString()
                    writer.append([(RecordType.BATCH, header.to_bytes(), payload)])
            seal_pending(data, catalog)
    return data


def open_lake(data: Path) -> Lake:
    """Open the lake an hour after everything in it."""
    return Lake.open(data, clock=lambda: RECEIVED_NS + 3_600 * 1_000_000_000)


def runs_of(data: Path) -> list[dict[str, Any]]:
    """Return all runs of a lake, the first first."""
    with open_lake(data) as lake:
        return list_runs(lake, RunFilter(limit=1_000, descending=False))


def stories_of(data: Path) -> list[dict[str, Any]]:
    """Return the reconstruction of every run, the first first."""
    with open_lake(data) as lake:
        found = [reconstruct(lake, run["run_id"]) for run in list_runs(lake, RunFilter(limit=1_000, descending=False))]
    return [story for story in found if story is not None]
