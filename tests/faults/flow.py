"""A collector's whole work on a few requests, in one process and short: what is killed at each point, and what a restart finds.

The parts are the real ones, from `Pipeline.export` to the deletion of retired files, on a real disk; only the texts are cleaned by
`FakeCleaner`, so that no scanner has to start.
"""

import asyncio
import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

from collector.committer import Committer
from collector.forwarding.queue import exporter_folder
from collector.pipeline import Pipeline
from collector.policies import Policies
from collector.receivers.encoding import Encoding
from collector.recovery import recent_digests
from collector.resends import Resends
from collector.sealer import seal_pending
from collector.signals import LOGS, TRACES, Signal
from collector.telemetry import Telemetry
from storage.catalog import Catalog
from storage.compactor import compact
from storage.durable import DISK, FileSystem
from storage.lake import Lake
from storage.wal import WalWriter, closed_segments, read_segment
from tests.collector.policies_in_force import fake_policy
from tests.fakes import FakeCleaner
from tests.faults.forward import EXPORTER, configure, forward_all
from tests.faults.points import AFTER, BEFORE, Reached, ToldDisk, arm, killing
from tests.lake_checks import check_lake

ORIGIN: Final = "n/collector"
KEY: Final = b"k" * 32
NOW_NS: Final = 1_795_262_400 * 1_000_000_000
MINUTE_NS: Final = 60 * 1_000_000_000
LEFT_OVER: Final = "left over"
SACRIFICED: Final = "sacrificed"
"""The request that a flipped bit costs between its acknowledgement and its sealing."""
FIRST: Final = ("one", "log two")
SECOND: Final = ("three", SACRIFICED)
ROWS: Final = 2
"""Records in each request."""
_TEXT: Final = re.compile(rb"[a-z ]+ <CANARY> [0-9]")


@dataclass(frozen=True, slots=True)
class Folder:
    """Where a flow works: its data directory, and beside it what its senders know."""

    path: Path

    @property
    def data(self) -> Path:
        return self.path / "data"

    def acknowledge(self, name: str) -> None:
        """Remember that a sender has its answer."""
        with (self.path / "acknowledged").open("a") as file:
            file.write(f"{name}\n")

    @property
    def delivered(self) -> Path:
        """What the backend of the exporter took."""
        return self.path / "delivered"

    @property
    def acknowledged(self) -> set[str]:
        return set((self.path / "acknowledged").read_text().splitlines())


def request(name: str) -> tuple[Signal, bytes]:
    """Two records that say `<name> canary 0` and `1`, the same whenever they are sent."""
    signal = LOGS if name.startswith("log") else TRACES
    message = signal.request()
    for number in range(ROWS):
        text = f"{name} canary {number}"
        identity = f"{number}{name}".encode().ljust(16, b".")
        if signal is LOGS:
            record = message.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=NOW_NS, trace_id=identity)
            record.body.string_value = text
        else:
            spans = message.resource_spans.add().scope_spans.add().spans
            spans.add(trace_id=identity, span_id=identity[:8], name=text, start_time_unix_nano=NOW_NS, end_time_unix_nano=NOW_NS + 1)
    return signal, message.SerializeToString()


def prepare(folder: Folder) -> None:
    """A lake whose writer died: one acknowledged request in the open segment, and half of another behind it."""
    folder.data.mkdir(parents=True)
    Catalog.open(folder.data).close()
    configure(folder.data)
    writer = WalWriter(folder.data, ORIGIN)
    asyncio.run(_send(folder, writer, [LEFT_OVER], lambda *_: None, closes=False))
    writer._release()
    with (folder.data / "wal" / ORIGIN / "000000000000.open").open("ab") as file:
        file.write(b"\xa1WAL\x01\x01\xff")


def work(folder: Folder, reached: Reached, on: ToldDisk | None = None) -> None:
    """Everything once: recover, take two segments of requests, seal, merge, delete what was merged, forward what was sealed."""
    disk = on or ToldDisk(folder.data, reached)
    with closing(WalWriter(folder.data, ORIGIN, fs=disk)) as writer:
        asyncio.run(_send(folder, writer, FIRST, reached))
        asyncio.run(_send(folder, writer, SECOND, reached))
    _damage(folder.data, disk)
    _seal_and_merge(folder.data, disk)
    forward_all(folder.data, folder.delivered, reached, disk)


def restart(folder: Folder) -> None:
    """What the next collector does, and what senders do that got no answer; then all senders, who are not sure."""
    with closing(WalWriter(folder.data, ORIGIN)) as writer:
        asyncio.run(_send(folder, writer, [LEFT_OVER, *FIRST, *SECOND], lambda *_: None))
    _seal_and_merge(folder.data, DISK)
    forward_all(folder.data, folder.delivered, lambda *_: None, DISK)


def survived(folder: Folder) -> set[str]:
    """The requests that are whole in the WAL or in the lake before anybody sends again: what was acknowledged must be among them.

    The sacrificed one may be there with a flipped bit.
    """
    WalWriter(folder.data, ORIGIN).close()
    texts: set[str] = set()
    for segment in closed_segments(folder.data):
        for record in read_segment(segment, folder.path / "set aside"):
            texts.update(found.decode() for found in _TEXT.findall(record.payload))
    with Lake.open(folder.data) as lake:
        for table, column in (("spans", "name"), ("events", "body")):
            texts.update(lake.sql(f"SELECT {column} FROM {table}").column(0).to_pylist())
    names = (LEFT_OVER, *FIRST, *SECOND)
    return {name for name in names if {f"{name} <CANARY> {number}" for number in range(ROWS)} <= texts}


def check(folder: Folder, *, delivered_once: bool = False) -> None:
    """Every request that was acknowledged is stored once, and delivered; the sacrificed one is in quarantine, unless it was sent again."""
    check_lake(folder.data)
    assert closed_segments(folder.data) == []
    assert folder.acknowledged == {LEFT_OVER, *FIRST, *SECOND}
    found = stored(folder.data)
    expected = {f"{name} <CANARY> {number}" for name in (LEFT_OVER, *FIRST, *SECOND) for number in range(ROWS)}
    assert found == Counter(expected)
    sent = Counter(found.decode() for found in _TEXT.findall(folder.delivered.read_bytes()))
    assert sent.keys() == expected
    assert not delivered_once or set(sent.values()) == {1}
    assert list((exporter_folder(folder.data, EXPORTER.id) / "queue").iterdir()) == []
    with closing(Catalog.open(folder.data, read_only=True)) as catalog:
        entries = catalog.entries()
        assert sum(entry.stored for entry in entries) == len(expected)
        assert sum(entry.quarantined for entry in entries) in {0, ROWS}
        assert [entry.entry for entry in entries] == list(range(len(entries)))
        assert catalog.retired_files() == []
    raw = [path for path in folder.path.rglob("*") if path.is_file() and b"canary" in path.read_bytes()]
    assert raw == []


def stored(data: Path) -> Counter[str]:
    """How often each text is in the live files."""
    texts: Counter[str] = Counter()
    with closing(Catalog.open(data, read_only=True)) as catalog:
        for file in catalog.live_files():
            if (column := {"spans": "name", "events": "body"}.get(file.table_name)) is not None:
                texts.update(pq.read_table(data / file.path, columns=[column], partitioning=None)[column].to_pylist())
    return texts


def die(path: str, name: str, moment: str, occurrence: int) -> None:
    """The process that is killed; what it is forked from has imported everything."""
    reached = killing(name, moment, occurrence)
    arm(reached)
    work(Folder(Path(path)), reached)


def record(path: str) -> None:
    """The same without a kill, which writes down every point that it reaches."""
    seen: Counter[tuple[str, str]] = Counter()

    def reached(name: str, moment: str) -> None:
        seen[name, moment] += 1

    arm(reached)
    work(Folder(Path(path)), reached)
    (Path(path) / "points.json").write_text(json.dumps([[*point, times] for point, times in seen.items()]))


async def _send(folder: Folder, writer: WalWriter, names: Sequence[str], reached: Reached, *, closes: bool = True) -> None:
    """Senders that wait for each answer, and a segment that is closed behind them."""
    committer = Committer(writer)
    committing = asyncio.create_task(committer.run())
    resends = Resends(KEY)
    with closing(Catalog.open(folder.data)) as catalog:
        for identity, age_seconds, stored_at in recent_digests(folder.data, catalog, NOW_NS):
            resends.remember(identity, stored_at, age_seconds=age_seconds)
    pipeline = Pipeline(
        policies=Policies(fake_policy(FakeCleaner())),
        committer=committer,
        resends=resends,
        telemetry=Telemetry("n", NOW_NS),
        time_ns=lambda: NOW_NS,
    )
    for name in names:
        signal, body = request(name)
        await pipeline.export(signal, Encoding.PROTOBUF, body)
        reached("answer", BEFORE)
        folder.acknowledge(name)
        reached("answer", AFTER)
    if closes:
        await committer.rotate()
    committing.cancel()
    await asyncio.gather(committing, return_exceptions=True)
    committer._thread.shutdown()


def _damage(data: Path, disk: ToldDisk) -> None:
    """Flip a bit of the sacrificed request in its closed segment."""
    for segment in closed_segments(data):
        content = segment.path.read_bytes()
        if (place := content.find(SACRIFICED.encode())) >= 0:
            with segment.path.open("r+b") as file:
                os.pwrite(file.fileno(), bytes([content[place] ^ 1]), place)
            disk.was_damaged(segment.path)


def _seal_and_merge(data: Path, fs: FileSystem) -> None:
    sealed_ns = NOW_NS
    with closing(Catalog.open(data)) as catalog:
        seal_pending(data, catalog, clock=lambda: sealed_ns, fs=fs)
    compact(data, now_ns=sealed_ns + 2 * MINUTE_NS, fs=fs)
    compact(data, now_ns=sealed_ns + 3 * MINUTE_NS, grace_seconds=0, fs=fs)
