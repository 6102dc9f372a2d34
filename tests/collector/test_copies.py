"""Copies of one request over several collectors of a lake: all are stored, all but one are marked, whatever crashes in between."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from collector.sealer import seal_pending
from collector.signals import METRICS
from storage.catalog import Catalog
from storage.deliveries import WINDOW_NS
from storage.durable import Disk
from storage.lake import Lake
from storage.wal import BatchHeader, RecordType, WalWriter
from tests.collector import empty_lake
from tests.collector.otlp_samples import NOW_NS, logs, traces
from tests.lake_checks import check_lake

data, catalog = empty_lake.data, empty_lake.catalog


def write(data: Path, origin: str, *batches: tuple[str, int, Sequence[str]]) -> None:
    """Close a segment with requests: digest, seconds after the first, and names of spans."""
    with closing(WalWriter(data, origin)) as writer:
        for digest, seconds, names in batches:
            header = BatchHeader(
                signal="traces", tenant=None, received_ns=NOW_NS + seconds * 10**9, policy_hash="p", records=len(names), digest=digest
            )
            writer.append([(RecordType.BATCH, header.to_bytes(), traces(*({"name": name} for name in names)).SerializeToString())])


def marks(data: Path, column: str = "name", table: str = "spans") -> dict[str, Any]:
    """origin/name → resent, of all rows."""
    files = sorted((data / "data" / table).glob("*/*.parquet"))
    rows = [row for file in files for row in pq.ParquetFile(file).read(["origin", column, "resent"]).to_pylist()]
    return {f"{row['origin']}/{row[column]}": row["resent"] for row in rows}


def test_a_copy_that_another_collector_took_is_stored_and_marked(data, catalog):
    write(data, "n/a", ("d1", 0, ["one", "two"]), ("d2", 0, ["three"]))
    write(data, "n/b", ("d3", 1, ["four"]), ("d1", 1, ["one", "two"]), ("", 1, ["five"]), ("", 1, ["five again"]))
    seal_pending(data, catalog)
    marked = {name for name, resent in marks(data).items() if resent}
    assert marked == {"n/b/one", "n/b/two"}
    assert set(marks(data).values()) == {True, False}
    assert {entry.origin: (entry.received, entry.stored, entry.resent) for entry in catalog.entries()} == {
        "n/a": (3, 3, 0),
        "n/b": (5, 5, 2),
    }
    check_lake(data)


def test_a_copy_is_shown_as_a_span_is_no_step_and_is_reported(data, catalog):
    write(data, "n/a", ("d1", 0, ["one"]))
    write(data, "n/b", ("d1", 1, ["one"]))
    with closing(WalWriter(data, "n/a")) as a, closing(WalWriter(data, "n/b")) as b:
        for writer in (a, b):
            header = BatchHeader(signal="logs", tenant=None, received_ns=NOW_NS, policy_hash="p", records=1, digest="d2")
            payload = logs({"body": "told", "time_unix_nano": NOW_NS}).SerializeToString()
            writer.append([(RecordType.BATCH, header.to_bytes(), payload)])
    seal_pending(data, catalog)
    with Lake.open(data) as lake:
        assert lake.sql("SELECT count(*) AS n FROM spans").to_pylist() == [{"n": 2}]
        assert lake.sql("SELECT origin, source FROM steps ORDER BY source").to_pylist() == [
            {"origin": "n/a", "source": "event"},
            {"origin": "n/a", "source": "span"},
        ]
        assert lake.sql("SELECT origin, sum(resent)::INT AS n FROM ingest_log GROUP BY 1 ORDER BY 1").to_pylist() == [
            {"origin": "n/a", "n": 0},
            {"origin": "n/b", "n": 2},
        ]
    check_lake(data)


def test_what_a_metric_adds_is_added_once(data, catalog):
    message = METRICS.request()
    metric = message.resource_metrics.add().scope_metrics.add().metrics.add(name="auditlake.business.refunds")
    metric.sum.aggregation_temporality = 1
    metric.sum.data_points.add(time_unix_nano=NOW_NS, as_int=3)
    header = BatchHeader(signal="metrics", tenant=None, received_ns=NOW_NS, policy_hash="p", records=1, digest="d")
    for origin in ("n/a", "n/b"):
        with closing(WalWriter(data, origin)) as writer:
            writer.append([(RecordType.BATCH, header.to_bytes(), message.SerializeToString())])
    seal_pending(data, catalog)
    with Lake.open(data) as lake:
        assert lake.sql("SELECT count(*) AS n FROM metrics").to_pylist() == [{"n": 2}]
        assert lake.sql("SELECT sum(new_sum) AS n FROM agent_metrics").to_pylist() == [{"n": 3.0}]


@pytest.mark.parametrize(("seconds", "resent"), [(600, True), (601, False), (-600, True), (-601, False)])
def test_the_window_is_ten_minutes_either_way(data, catalog, seconds, resent):
    """A collector that was slow to seal has the earlier one: the one that is sealed first counts."""
    write(data, "n/a", ("d", 0, ["first"]))
    seal_pending(data, catalog)
    write(data, "n/b", ("d", seconds, ["second"]))
    seal_pending(data, catalog)
    assert marks(data) == {"n/a/first": False, "n/b/second": resent}
    check_lake(data)


def test_copies_are_counted_from_the_one_that_counts(data, catalog):
    """Three within ten minutes of the next, but not of each other: as when one collector forgets after ten minutes."""
    for origin, minutes in (("n/a", 0), ("n/b", 9), ("n/c", 18), ("n/d", 19)):
        write(data, origin, ("d", minutes * 60, ["it"]))
        seal_pending(data, catalog)
    assert marks(data) == {"n/a/it": False, "n/b/it": True, "n/c/it": False, "n/d/it": True}


def test_the_same_collector_behind_its_memory_is_no_exception(data, catalog):
    """In one segment and over two: a collector that had to forget early stores a copy of its own request."""
    write(data, "n/a", ("d", 0, ["first"]), ("d", 300, ["second"]), ("d", 601, ["third"]))
    seal_pending(data, catalog)
    write(data, "n/a", ("d", 500, ["fourth"]))
    seal_pending(data, catalog)
    assert marks(data) == {"n/a/first": False, "n/a/second": True, "n/a/third": False, "n/a/fourth": True}


class Crash(BaseException):
    """The process died here."""


class DiesAtPublish(Disk):
    """Publishing is the first rename of sealing."""

    def replace(self, source: Path, target: Path) -> None:
        raise Crash


def test_which_copy_counts_does_not_change_when_a_crash_lets_another_segment_overtake(data, catalog):
    """The first attempt settled it: sealing again, behind a copy that came in between, marks the same rows."""
    write(data, "n/b", ("d", 0, ["first"]))
    with pytest.raises(Crash):
        seal_pending(data, catalog, fs=DiesAtPublish())
    write(data, "n/a", ("d", 0, ["second"]))
    (interrupted,) = (data / "wal/n/b").glob("*.wal")
    interrupted.touch()  # so that the other one is older, and is sealed first
    seal_pending(data, catalog)
    assert [entry.origin for entry in sorted(catalog.entries(), key=lambda entry: entry.sealed_ns)] == ["n/a", "n/b"]
    assert marks(data) == {"n/a/second": True, "n/b/first": False}
    check_lake(data)


def test_a_settled_answer_outlives_the_window_of_the_one_it_refers_to(data, catalog):
    write(data, "n/a", ("d", 0, ["first"]))
    seal_pending(data, catalog)
    write(data, "n/b", ("d", 10, ["copy"]))
    with pytest.raises(Crash):
        seal_pending(data, catalog, fs=DiesAtPublish())
    for minutes in (20, 40):  # the first is forgotten meanwhile
        catalog.settle_copies("n/c", minutes, [(f"other {minutes}", NOW_NS + minutes * 60 * 10**9)])
    assert catalog.recent_batches("n/a", 0) == {}
    seal_pending(data, catalog)
    assert marks(data) == {"n/a/first": False, "n/b/copy": True}


def test_what_version_0_1_remembered_is_taken_over(data, catalog):
    write(data, "n/a", ("other", 0, ["sealed"]))
    seal_pending(data, catalog)
    with catalog._engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE batches (origin TEXT, digest TEXT, received_ns BIGINT, PRIMARY KEY (origin, digest))")
        connection.exec_driver_sql("INSERT INTO batches VALUES ('n/a', 'd', ?)", (NOW_NS,))
    with closing(Catalog.open(data)) as upgraded:
        assert upgraded.recent_batches("n/a", 0).keys() == {"other", "d"}
        write(data, "n/b", ("d", 1, ["copy"]))
        seal_pending(data, upgraded)
        assert marks(data) == {"n/a/sealed": False, "n/b/copy": True}
        upgraded.settle_copies("n/b", 9, [("later", NOW_NS + 3 * WINDOW_NS)])
        assert upgraded.recent_batches("n/a", 0) == {}
