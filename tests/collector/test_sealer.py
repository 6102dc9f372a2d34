"""Sealing: every acknowledged record is in the lake once, whatever interrupts it, and every record is accounted for."""

import gc
import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy.sql.selectable import Alias

from collector import dialects, sealer
from collector.sealer import run_sealer, seal_pending
from storage.catalog import Catalog
from storage.durable import FileLock
from storage.errors import StorageError
from storage.lake import Lake
from storage.wal import BatchHeader, Counters, RecordType, WalWriter
from tests.collector import empty_lake
from tests.collector.otlp_samples import NOW_NS, logs, traces
from tests.lake_checks import check_lake

data, catalog = empty_lake.data, empty_lake.catalog

ORIGIN = "node/collector"


def batch(message: Any, records: int, *, signal: str = "traces", digest: str = "d", **fields: Any) -> tuple[RecordType, bytes, bytes]:
    header = BatchHeader(signal=signal, tenant=None, received_ns=NOW_NS, policy_hash="policy", records=records, digest=digest, **fields)
    return RecordType.BATCH, header.to_bytes(), message if isinstance(message, bytes) else message.SerializeToString()


def counters(**counts: Any) -> tuple[RecordType, bytes, bytes]:
    return RecordType.COUNTERS, Counters(**counts).to_bytes(), b""


def write(data: Path, *records: tuple[RecordType, bytes, bytes], origin: str = ORIGIN) -> None:
    """Append records as one closed segment."""
    with closing(WalWriter(data, origin)) as writer:
        writer.append(records)


def rows(data: Path, table: str = "spans") -> list[dict[str, Any]]:
    files = sorted((data / "data" / table).glob("*/*.parquet"))
    return [row for file in files for row in pq.ParquetFile(file).read().to_pylist(maps_as_pydicts="strict")]


def spans(*names: str, **fields: Any) -> Any:
    return traces(*({"name": name, **fields} for name in names))


def test_a_segment_becomes_rows_an_entry_and_nothing_else(data, catalog):
    write(data, batch(spans("a", "b"), 2), batch(logs({"body": "hello"}), 1, signal="logs", digest="e"), counters(received=3))
    assert seal_pending(data, catalog) == 1
    assert sorted(row["name"] for row in rows(data)) == ["a", "b"]
    assert [row["body"] for row in rows(data, "events")] == ["hello"]
    (entry,) = catalog.entries()
    assert (entry.received, entry.stored, entry.quarantined, entry.own) == (3, 3, 0, 0)
    assert (entry.first_received_ns, entry.policy_hash) == (NOW_NS, "policy")
    assert entry.descriptor["tables"]["spans"]["rows"] == 2
    assert entry.descriptor["tables"]["events"]["files"][0]["sha256"] == catalog.live_files("events")[0].sha256
    assert set(catalog.recent_batches(ORIGIN, 0)) == {"d", "e"}
    assert not list((data / "wal").rglob("*.wal"))
    check_lake(data)


def test_every_record_is_accounted_for(data, catalog):
    write(
        data,
        batch(spans("a"), 1, withheld=4),
        batch(b"\xff\xff", 5),
        batch(spans("own"), 1, own=True),
        counters(received=1 + 5 + 3 + 2, rejected=3, deduplicated=2, reasons={"no trace id": 3}),
    )
    seal_pending(data, catalog)
    (entry,) = catalog.entries()
    assert (entry.received, entry.stored, entry.rejected, entry.deduplicated, entry.quarantined) == (11, 1, 3, 2, 5)
    assert entry.received == entry.stored + entry.rejected + entry.deduplicated + entry.quarantined
    assert (entry.withheld, entry.own) == (4, 1)
    assert entry.descriptor["counters"]["reasons"] == {"no trace id": 3}
    check_lake(data)


def test_a_segment_whose_counters_a_crash_took_is_accounted_for_by_its_batches(data, catalog):
    write(data, batch(spans("a", "b"), 2))
    seal_pending(data, catalog)
    (entry,) = catalog.entries()
    assert (entry.received, entry.stored) == (2, 2)


def test_an_undecodable_batch_is_kept_aside_and_the_next_one_follows(data, catalog):
    write(data, batch(b"\xff\xff", 7), batch(spans("after"), 1))
    seal_pending(data, catalog)
    assert [row["name"] for row in rows(data)] == ["after"]
    (kept,) = (data / "quarantine").glob("*.bin")
    why = json.loads(kept.with_suffix(".json").read_text())
    assert kept.read_bytes() == b"\xff\xff"
    assert (why["records"], why["origin"], why["entry"]) == (7, ORIGIN, 0)
    assert catalog.entries()[0].quarantined == 7
    check_lake(data)


@pytest.mark.parametrize(
    "defect", [lambda _: 1 / 0, lambda _: {"step_kind": "other", "latency_ms": "no number"}], ids=["raises", "wrong type"]
)
def test_a_defect_of_a_dialect_costs_one_batch_not_the_segment(data, catalog, monkeypatch, defect):
    real = dialects.read_span

    def read_span(span: Any) -> dict[str, Any]:
        return defect(span) if span.name == "boom" else real(span)

    monkeypatch.setattr(dialects, "read_span", read_span)
    write(data, batch(spans("a"), 1), batch(spans("b", "boom"), 2), batch(spans("c"), 1), counters(received=4))
    assert seal_pending(data, catalog) == 1
    assert sorted(row["name"] for row in rows(data)) == ["a", "c"]
    (entry,) = catalog.entries()
    assert (entry.received, entry.stored, entry.quarantined) == (4, 2, 2)
    (kept,) = (data / "quarantine").glob("*.json")
    assert "defect of the decoder" in json.loads(kept.read_text())["reason"]
    check_lake(data)


def test_a_damaged_record_is_counted_as_what_it_held(data, catalog):
    write(data, batch(spans("damaged" * 9, "too"), 2), batch(spans("intact"), 1), counters(received=3))
    (path,) = (data / "wal").rglob("*.wal")
    content = path.read_bytes()
    place = content.index(b"damageddamaged")
    path.write_bytes(content[:place] + b"DAMAGE" + content[place + 6 :])
    seal_pending(data, catalog)
    (entry,) = catalog.entries()
    assert (entry.received, entry.stored, entry.quarantined) == (3, 1, 2)
    check_lake(data)


def test_a_segment_of_counters_alone_is_an_entry_without_files(data, catalog):
    write(data, counters(received=4, rejected=4))
    seal_pending(data, catalog)
    (entry,) = catalog.entries()
    assert (entry.received, entry.rejected, entry.stored) == (4, 4, 0)
    assert catalog.live_files() == []
    check_lake(data)


@pytest.mark.parametrize("step", ["publish_entry", "resolve", "commit_entry", "unlink"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_sealing_again_after_a_crash_at_any_step_stores_everything_once(data, catalog, monkeypatch, step, moment):
    write(data, batch(spans("a", "b"), 2), batch(logs({}), 1, signal="logs"), counters(received=3))
    with monkeypatch.context() as patch:
        _crash(patch, step, moment)
        with pytest.raises(KeyboardInterrupt):
            seal_pending(data, catalog)
    seal_pending(data, catalog)
    assert sorted(row["name"] for row in rows(data)) == ["a", "b"]
    assert [entry.stored for entry in catalog.entries()] == [3]
    assert not list((data / "wal").rglob("*.wal"))
    check_lake(data)


def _crash(patch: pytest.MonkeyPatch, step: str, moment: str) -> None:
    owner: Any = {"commit_entry": Catalog, "unlink": Path}.get(step, sealer)
    real = getattr(owner, step)

    def crashing(*args: Any, **kwargs: Any) -> Any:
        if moment == "after":
            real(*args, **kwargs)
        raise KeyboardInterrupt

    patch.setattr(owner, step, crashing)


def test_replay_after_compaction_does_not_publish_again(data, catalog, monkeypatch):
    write(data, batch(spans("a"), 1))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", _raise_interrupt)
        with pytest.raises(KeyboardInterrupt):
            seal_pending(data, catalog)
    before = catalog.version
    seal_pending(data, catalog)
    assert catalog.version == before
    assert len(rows(data)) == 1


def _raise_interrupt(*_args: Any, **_kwargs: Any) -> None:
    raise KeyboardInterrupt


def test_two_sealers_never_seal_at_once(data, catalog):
    write(data, batch(spans("a"), 1))
    with FileLock(data / sealer.LOCK, "test"):
        assert seal_pending(data, catalog) == 0
    assert seal_pending(data, catalog) == 1


def test_an_origin_that_fails_does_not_stop_the_others(data, catalog, monkeypatch):
    write(data, batch(spans("stuck"), 1), origin="node/alerts")
    write(data, batch(spans("stuck too"), 1), origin="node/alerts")
    write(data, batch(spans("fine"), 1))
    real = sealer.publish_entry

    def full(data_: Path, origin: str, *args: Any, **kwargs: Any) -> Any:
        if origin == "node/alerts":
            raise StorageError("publish", data_, hint="the disk is full")
        return real(data_, origin, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(sealer, "publish_entry", full)
        with pytest.raises(StorageError, match="disk is full"):
            seal_pending(data, catalog)
    assert [row["name"] for row in rows(data)] == ["fine"]
    assert seal_pending(data, catalog) == 2
    assert [entry.entry for entry in catalog.entries("node/alerts")] == [0, 1]
    check_lake(data)


def test_a_trace_joins_a_run_that_was_sealed_before_and_links_to_either_find_it(data, catalog):
    first, second = b"\xa1" * 16, b"\xb2" * 16
    write(data, batch(spans("cause", trace_id=first), 1))
    seal_pending(data, catalog)
    assert catalog.trace_runs() == {}
    later = NOW_NS + 60 * 10**9
    linked = spans("effect", trace_id=second, links=[(first, b"\1" * 8)], start=later, end=later + 1)
    write(data, batch(linked, 1))
    seal_pending(data, catalog)
    run = first.hex()
    assert catalog.trace_runs() == {run: run, second.hex(): run}
    assert catalog.run_span(run) == (NOW_NS - 2_000_000, later + 1)
    assert catalog.run_span(second.hex()) == (later, later + 1)
    write(data, batch(spans("late", trace_id=second, start=later + 5, end=later + 9), 1))
    seal_pending(data, catalog)
    assert catalog.run_span(run) == (NOW_NS - 2_000_000, later + 9)


def test_records_that_name_their_run_take_their_trace_with_them(data, catalog):
    trace = b"\xc3" * 16
    named = {"name": "run", "trace_id": trace, "attributes": {"auditlake.kind": "run", "auditlake.run.id": "run-7"}}
    write(data, batch(traces(named, {"name": "plain", "trace_id": trace}), 2))
    seal_pending(data, catalog)
    assert catalog.trace_runs() == {trace.hex(): "run-7"}
    assert catalog.run_span("run-7") == (NOW_NS - 2_000_000, NOW_NS - 1_000_000)
    assert sorted(row["run_id"] for row in rows(data)) == [trace.hex(), "run-7"]


def test_the_sealer_process_seals_when_woken_and_once_more_when_stopped(data, catalog):
    stop, wake = threading.Event(), threading.Event()
    thread = threading.Thread(target=run_sealer, args=(data, stop, wake), kwargs={"poll_seconds": 30.0})
    thread.start()
    try:
        write(data, batch(spans("woken"), 1))
        deadline = time.monotonic() + 20
        while not catalog.entries() and time.monotonic() < deadline:
            wake.set()
            time.sleep(0.01)
        assert len(catalog.entries()) == 1
        write(data, batch(spans("at the end"), 1))
    finally:
        stop.set()
        wake.set()
        thread.join(20)
    assert len(rows(data)) == 2


def test_what_a_round_of_the_sealer_leaves_to_the_garbage_collector_does_not_pile_up(data, catalog):
    """Each statement with SQLAlchemy is a cycle, and collections are rare while segments are decoded."""
    stop, wake = threading.Event(), threading.Event()
    thread = threading.Thread(target=run_sealer, args=(data, stop, wake), kwargs={"poll_seconds": 30.0})
    gc.collect()
    before = statements()
    thread.start()
    try:
        for number in range(1, 6):
            write(data, batch(spans(f"s{number}"), 1))
            assert until(lambda number=number: wake.set() or len(catalog.entries()) == number)
        assert until(lambda: statements() < before + 3), "each round makes three, and SQLAlchemy keeps one to compile it once"
    finally:
        stop.set()
        wake.set()
        thread.join(20)


def statements() -> int:
    """Return how many tables SQLAlchemy has renamed for a statement and nobody has collected yet."""
    return sum(type(each) is Alias for each in gc.get_objects())


def until(met: Callable[[], bool]) -> bool:
    """Return whether it is so within 20 seconds."""
    deadline = time.monotonic() + 20
    while not met() and time.monotonic() < deadline:
        time.sleep(0.01)
    return met()


def test_salts_of_an_entry_are_derived_from_a_random_seed(data, catalog):
    """A view shows each row its own."""
    write(data, batch(spans("a", "b", "c"), 3))
    asked: list[int] = []

    def salts(size: int) -> bytes:
        asked.append(size)
        return os.urandom(size)

    seal_pending(data, catalog, salts=salts)
    assert asked == [32]
    assert len({row["salt"] for row in rows(data)}) == 1
    with Lake.open(data) as lake:
        own = lake.sql("SELECT DISTINCT salt FROM spans")["salt"].to_pylist()
    assert [len(salt) for salt in own] == [16, 16, 16]


def test_files_have_exactly_the_columns_of_the_schema(data, catalog):
    write(data, batch(spans("a"), 1))
    seal_pending(data, catalog)
    (file,) = catalog.live_files("spans")
    found: pa.Schema = pq.read_schema(data / file.path)
    from storage.schema import SPANS

    assert found.names == SPANS.names
