"""A clock that jumps, by days and either way: what is acknowledged is stored once, under a date, and everything goes on."""

import asyncio
from collections import Counter
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from collector.committer import Committer
from collector.pipeline import Pipeline
from collector.policies import Policies
from collector.receivers.encoding import Encoding
from collector.recovery import recent_digests
from collector.resends import Resends
from collector.sealer import seal_pending
from collector.signals import TRACES
from collector.telemetry import Telemetry
from storage.catalog import Catalog
from storage.compactor import compact
from storage.wal import WalWriter
from tests.collector.policies_in_force import fake_policy
from tests.fakes import FakeCleaner
from tests.faults.flow import KEY, NOW_NS, ORIGIN
from tests.lake_checks import check_lake

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
JUMPS = pytest.mark.parametrize("jump_ns", [3 * DAY_NS, -3 * DAY_NS], ids=["forwards", "backwards"])


class Collector:
    """What takes requests, in this process: `wall_ns` is the clock that jumps, `monotonic` the one that does not."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.wall_ns = NOW_NS
        self.monotonic = 1000.0
        data.mkdir(exist_ok=True)
        self.catalog = Catalog.open(data)

    async def start(self) -> None:
        self.committer = Committer(WalWriter(self.data, ORIGIN), clock=lambda: self.monotonic)
        self.committing = asyncio.create_task(self.committer.run())
        resends = Resends(KEY, clock=lambda: self.monotonic)
        for identity, age_seconds, stored in recent_digests(self.data, self.catalog, self.wall_ns):
            resends.remember(identity, stored, age_seconds=age_seconds)
        self.pipeline = Pipeline(
            policies=Policies(fake_policy(FakeCleaner())),
            committer=self.committer,
            resends=resends,
            telemetry=Telemetry("n", self.wall_ns),
            time_ns=lambda: self.wall_ns,
        )

    async def stop(self) -> None:
        await self.committer.close()
        await self.committing

    async def send(self, name: str, at_ns: int = NOW_NS) -> None:
        """Send one span that began at `at_ns`, by a clock that is right."""
        message = TRACES.request()
        identity = name.encode().ljust(16, b".")
        span = message.resource_spans.add().scope_spans.add().spans.add(trace_id=identity, span_id=identity[:8], name=name)
        span.start_time_unix_nano, span.end_time_unix_nano = at_ns, at_ns + 1
        await self.pipeline.export(TRACES, Encoding.PROTOBUF, message.SerializeToString())

    def seal(self) -> None:
        seal_pending(self.data, self.catalog, clock=lambda: self.wall_ns)

    def dates(self) -> dict[str, str]:
        """The date that each span is stored under; each is stored once."""
        found = {}
        names: Counter[str] = Counter()
        for file in self.catalog.live_files("spans"):
            of_file = pq.read_table(self.data / file.path, columns=["name"], partitioning=None)["name"].to_pylist()
            names.update(of_file)
            found.update(dict.fromkeys(of_file, file.date))
        assert set(names.values()) == {1}
        return found


@pytest.fixture
def collector(tmp_path: Path):
    made = Collector(tmp_path / "data")
    with closing(made.catalog):
        yield made


@JUMPS
def test_the_window_of_resends_goes_by_a_clock_that_does_not_jump(collector, jump_ns):
    """A resend is known after a jump, and the window ends by the other clock; the copy that is stored then is no copy any more."""

    async def main() -> None:
        await collector.start()
        await collector.send("one")
        collector.wall_ns += jump_ns
        collector.monotonic += 599
        await collector.send("one")
        await collector.stop()

    asyncio.run(main())
    collector.seal()
    (entry,) = collector.catalog.entries()
    assert (entry.received, entry.stored, entry.deduplicated, entry.resent) == (2, 1, 1, 0)
    check_lake(collector.data)


@JUMPS
@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "in the WAL"])
def test_a_resend_is_known_across_a_restart_during_which_the_clock_jumps(collector, jump_ns, sealed):
    """And after a pause of days: the window is the last one that the collector was up."""

    async def main() -> None:
        await collector.start()
        await collector.send("early")
        collector.wall_ns += 700 * SECOND_NS
        collector.monotonic += 700
        await collector.send("one")
        await collector.stop()
        if sealed:
            collector.seal()
        collector.wall_ns += jump_ns
        await collector.start()
        await collector.send("one")
        await collector.send("two")
        await collector.stop()

    asyncio.run(main())
    collector.seal()
    assert sum(entry.deduplicated for entry in collector.catalog.entries()) == 1
    assert collector.dates().keys() == {"early", "one", "two"}
    check_lake(collector.data)


def test_a_date_is_that_of_the_record_unless_its_clock_or_ours_is_days_off(collector):
    """Ours ahead: the record's time is in the past, and stands. Ours behind: the record's is more than a day ahead, and ours counts."""

    async def main() -> None:
        await collector.start()
        await collector.send("right")
        collector.wall_ns = NOW_NS + 3 * DAY_NS
        await collector.send("ahead")
        collector.wall_ns = NOW_NS - 3 * DAY_NS
        await collector.send("behind")
        await collector.stop()

    asyncio.run(main())
    collector.seal()
    assert collector.dates() == {"right": "2026-11-21", "ahead": "2026-11-21", "behind": "2026-11-18"}
    (entry,) = collector.catalog.entries()
    assert (entry.first_received_ns, entry.last_received_ns) == (NOW_NS - 3 * DAY_NS, NOW_NS + 3 * DAY_NS)
    check_lake(collector.data)


def test_a_segment_is_as_old_as_the_clock_that_does_not_jump_says(collector):
    """Rotation and the alarm about a segment that is not closed follow it."""

    async def main() -> None:
        await collector.start()
        await collector.send("one")
        collector.wall_ns += 3 * DAY_NS
        assert collector.committer.segment_seconds == 0
        collector.monotonic += 2
        assert collector.committer.segment_seconds == 2
        assert await collector.committer.rotate() is not None
        await collector.stop()

    asyncio.run(main())


def test_sealing_and_compaction_go_on_while_the_clock_jumps_to_and_fro(collector):
    """Entries whose times of sealing interleave are merged with those of their time, once, and nothing is left behind."""
    jumps = [0, 3 * DAY_NS, 0, -3 * DAY_NS, 0, 3 * DAY_NS]

    async def main() -> None:
        for number, jump_ns in enumerate(jumps):
            collector.wall_ns = NOW_NS + jump_ns + number * SECOND_NS
            await collector.start()
            await collector.send(f"span {number}")
            await collector.stop()
            collector.seal()
            compact(collector.data, now_ns=collector.wall_ns, grace_seconds=0)
            check_lake(collector.data)

    asyncio.run(main())
    for days in (4, 5):
        compact(collector.data, now_ns=NOW_NS + days * DAY_NS, grace_seconds=0)
        check_lake(collector.data)
    assert len(collector.dates()) == len(jumps)
    assert {file.level for file in collector.catalog.live_files()} == {0, 3}  # one was alone on its day
