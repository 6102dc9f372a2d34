"""Requests in OTLP/JSON as a fresh collector would store them: for checking that a fixture gives what it says.

Nothing is redacted on the way: the requests come out of a lake, and are redacted.
"""

import secrets
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import orjson

from collector.receivers import otlp_json
from collector.sealer import seal_pending
from collector.signals import SIGNALS
from storage.catalog import Catalog
from storage.ledger.log_writer import Ledger
from storage.wal import BatchHeader, RecordType, WalWriter

ORIGIN: Final = "replay/collector"


def replay(data: Path, requests: Mapping[str, Mapping[str, Any]], *, received_ns: int) -> None:
    """Store the requests (signal → body) in a new lake at `data`. Raises `Malformed` and `StorageError`."""
    with closing(WalWriter(data, ORIGIN)) as writer:
        for signal, body in requests.items():
            message = SIGNALS[signal].request()
            otlp_json.fill(message, orjson.dumps(body))
            header = BatchHeader(signal=signal, tenant=None, received_ns=received_ns, policy_hash="", records=0, digest="")
            writer.append([(RecordType.BATCH, header.to_bytes(), message.SerializeToString())])
    with closing(Catalog.open(data)) as catalog:
        seal_pending(data, catalog, clock=lambda: received_ns, salts=secrets.token_bytes, ledger=Ledger(enabled=False))
