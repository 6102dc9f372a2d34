"""`audit()` returns the collector's signed receipt, over either protocol; the receipt is of exactly the bytes that were sent."""

from collections.abc import Callable, Iterator
from pathlib import Path

import auditlake
import pytest

from collector.receipts import Receipts
from storage.ledger.keys import Keys
from storage.ledger.receipt import Receipt
from tests.collector.served import ORIGIN, Served
from tests.sdk.otlp_server import OtlpServer

Configure = Callable[..., auditlake.Handle]


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Served]:
    running = Served(receipts=Receipts(Keys(tmp_path)))
    yield running
    running.close()


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_an_audit_record_comes_with_its_receipt(collector: Served, configure: Configure, tmp_path: Path, protocol: str) -> None:
    configure(endpoint=collector.url if protocol == "http" else f"grpc://{collector.target}")
    returned = auditlake.audit("refund.issue", "order/81", "success")
    assert returned.signed is not None
    receipt = Receipt.parse(returned.signed)
    receipt.signed_by([Keys(tmp_path).signer(ORIGIN).verifier])
    assert (receipt.digest, receipt.records) == (returned.digest, 1)


def test_a_collector_without_a_ledger_signs_nothing(server: OtlpServer, configure: Configure) -> None:
    """Any OTLP server acknowledges; only ours says where the record is."""
    configure()
    returned = auditlake.audit("a", "b", "success")
    assert returned.acknowledged
    assert returned.signed is None


def test_what_is_spooled_has_no_receipt_yet(configure: Configure, tmp_path: Path) -> None:
    configure(endpoint="http://127.0.0.1:1", spool_dir=tmp_path / "spool", spool_key=bytes(32), timeout_seconds=0.1)
    returned = auditlake.audit("a", "b", "success")
    assert not returned.acknowledged
    assert returned.signed is None
