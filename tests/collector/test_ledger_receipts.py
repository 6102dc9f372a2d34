"""Who sends gets a receipt with the acknowledgement, and it leads to the rows once they are sealed."""

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import grpc
import pyarrow.parquet as pq
import pytest

from collector.committer import Committer
from collector.pipeline import Pipeline
from collector.policies import Policies
from collector.receipts import HEADER, IN_LOOP_BYTES, Receipts
from collector.receivers.encoding import Encoding
from collector.recovery import recent_digests
from collector.resends import Resends
from collector.sealer import seal_pending
from collector.signals import TRACES
from collector.telemetry import Telemetry
from storage.catalog import Catalog
from storage.layout import Delivery
from storage.ledger.errors import LedgerError
from storage.ledger.keys import Keys, KeySource
from storage.ledger.note import VerifierKey
from storage.ledger.receipt import Receipt
from storage.wal import WalWriter
from tests.collector.policies_in_force import fake_policy
from tests.collector.served import PROTOBUF, Served, a_trace
from tests.fakes import FakeCleaner
from tests.lake_checks import check_lake

ORIGIN = "node/collector"
NOW_NS = 1_795_262_400 * 1_000_000_000
KEY = b"k" * 32


def body_of(*names: str) -> bytes:
    message = TRACES.request()
    spans = message.resource_spans.add().scope_spans.add().spans
    for number, name in enumerate(names, 1):
        identity = bytes([number]) * 16
        spans.add(trace_id=identity, span_id=identity[:8], name=name, start_time_unix_nano=NOW_NS, end_time_unix_nano=NOW_NS + 1)
    return message.SerializeToString()


def sent(data: Path, *bodies: bytes, origin: str = ORIGIN) -> list[Receipt]:
    """Send requests, one after the other, to a collector that starts and stops for them, whose clock stands still."""
    receipts: list[Receipt] = []

    async def main() -> None:
        committer = Committer(WalWriter(data, origin))
        committing = asyncio.create_task(committer.run())
        resends = Resends(KEY, origin=origin)
        with closing(Catalog.open(data)) as catalog:
            for identity, age_seconds, stored in recent_digests(data, catalog, NOW_NS):
                resends.remember(identity, stored, age_seconds=age_seconds)
        pipeline = Pipeline(
            policies=Policies(fake_policy(FakeCleaner())),
            committer=committer,
            resends=resends,
            telemetry=Telemetry("node", NOW_NS),
            origin=origin,
            receipts=Receipts(Keys(data)),
            time_ns=lambda: NOW_NS,
        )
        for body in bodies:
            answer = await pipeline.export(TRACES, Encoding.PROTOBUF, body)
            assert answer.receipt is not None
            receipts.append(Receipt.parse(answer.receipt))
        await committer.close()
        await committing

    asyncio.run(main())
    return receipts


def rows_of(data: Path, receipt: Receipt) -> list[str]:
    """The names of the rows that a receipt leads to."""
    with closing(Catalog.open(data)) as catalog:
        seal_pending(data, catalog)
        files = catalog.live_files("spans")
    rows = [row for file in files for row in pq.ParquetFile(data / file.path).read(["origin", "entry", "received_ns", "name"]).to_pylist()]
    wanted = (receipt.origin, receipt.entry, receipt.received_ns)
    return sorted(row["name"] for row in rows if (row["origin"], row["entry"], row["received_ns"]) == wanted)


def test_a_receipt_leads_to_exactly_the_rows_of_its_request(tmp_path):
    """Also of requests that came within the same nanosecond."""
    bodies = [body_of("a", "b"), body_of("c"), body_of("d", "e", "f")]
    receipts = sent(tmp_path, *bodies)
    assert [rows_of(tmp_path, receipt) for receipt in receipts] == [["a", "b"], ["c"], ["d", "e", "f"]]
    for body, receipt in zip(bodies, receipts, strict=True):
        assert receipt.digest == hashlib.sha256(body).hexdigest()
        assert receipt.records == len(rows_of(tmp_path, receipt))
        receipt.signed_by([Keys(tmp_path).signer(ORIGIN).verifier])
    check_lake(tmp_path)


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("origin", [ORIGIN, "renamed/collector"])
def test_who_sends_again_gets_the_receipt_of_what_is_stored(tmp_path, sealed, origin):
    """From the same collector, after a restart, after sealing, and from the collector that took its place."""
    body = body_of("once")
    first, again = sent(tmp_path, body, body)
    assert again == first
    if sealed:
        rows_of(tmp_path, first)
    (later,) = sent(tmp_path, body, origin=origin)
    assert later == first
    assert rows_of(tmp_path, later) == ["once"]


def test_a_large_request_is_hashed_beside_the_event_loop(tmp_path):
    body = body_of("x" * IN_LOOP_BYTES)
    (receipt,) = sent(tmp_path, body)
    assert receipt.digest == hashlib.sha256(body).hexdigest()


def test_without_its_key_a_collector_does_not_begin(tmp_path):
    with pytest.raises(LedgerError, match="LEDGER_KEY"):
        Receipts(Keys(tmp_path, KeySource(env="LEDGER_KEY"), {}))


def test_a_key_that_goes_away_meanwhile_costs_no_acknowledgement(tmp_path):
    """What is stored was received: its receipt is signed with the key that was there."""
    keys = Keys(tmp_path)
    receipts = Receipts(keys)
    before = keys.signer(ORIGIN).verifier
    keys.file.unlink()
    for origin in (ORIGIN, "renamed/collector"):
        receipt = Receipt.parse(asyncio.run(receipts.issue(Delivery(origin, 0, NOW_NS), 1, b"body")))
        assert receipt.signed_by([VerifierKey(origin, before.algorithm, before.public)])
    assert not keys.file.exists()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    running = Served(receipts=Receipts(Keys(tmp_path)))
    yield running
    running.close()


def test_both_protocols_return_the_receipt(served):
    """The same one for the same request, however it is sent again."""
    answer = served.post("/v1/traces", a_trace(), PROTOBUF)
    over_http = Receipt.parse(answer.headers[HEADER])
    with grpc.insecure_channel(served.target) as channel:
        _, call = channel.unary_unary(f"/{TRACES.grpc_service}/Export").with_call(a_trace(), timeout=10)
    over_grpc = Receipt.parse(dict(call.trailing_metadata())[HEADER])
    assert over_http == over_grpc
    assert over_http.digest == hashlib.sha256(a_trace()).hexdigest()


def test_a_request_of_which_nothing_was_taken_has_no_receipt(served):
    message = TRACES.request()
    message.resource_spans.add().scope_spans.add().spans.add(name="without ids")
    answer = served.post("/v1/traces", message.SerializeToString(), PROTOBUF)
    assert answer.status_code == 200
    assert HEADER not in answer.headers
    assert HEADER not in served.post("/v1/traces", b"\xff", PROTOBUF).headers
