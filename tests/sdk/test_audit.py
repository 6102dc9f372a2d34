"""`audit()` returns only when the record is durable; the spool keeps it encrypted until it is."""

import base64
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import auditlake
import pytest
from auditlake import vocabulary as names

from tests.sdk.otlp_server import OtlpServer, serving, wait_for

Configure = Callable[..., auditlake.Handle]
DEAD = "http://127.0.0.1:1"
PERSONAL = "order-of-a-person-nobody-may-read"


def spooled(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.spool"))


def test_the_receipt_comes_after_the_acknowledgement(server: OtlpServer, configure: Configure) -> None:
    """The call waits for the collector's answer, and the record is there when it returns."""
    server.delay_seconds = 0.2
    configure(agent_name="support")
    with auditlake.run() as run:
        receipt = auditlake.audit("refund.issue", "order/81", "success", actor="user-7", latency_ms=12, details={"amount": 30})
    event = server.events("agent_action")[0]
    expected = {names.ACTION: "refund.issue", names.RESOURCE: "order/81", names.OUTCOME: "success", names.LATENCY_MS: 12.0}
    assert {
        **expected,
        "user.id": "user-7",
        "amount": 30,
        names.RUN_ID: run.id,
        names.AGENT_NAME: "support",
    }.items() <= event.attributes.items()
    assert names.SEQ in event.attributes
    assert receipt.acknowledged
    assert receipt.latency_ms >= 200
    assert (receipt.run_id, receipt.trace_id, receipt.attempts) == (run.id, run.trace_id, 1)
    assert event.message.trace_id.hex() == run.trace_id


def test_an_audit_record_never_waits_for_the_batch(server: OtlpServer, configure: Configure) -> None:
    """It is sent on its own, whatever is queued."""
    configure(delay_seconds=60.0)
    for _ in range(100):
        auditlake.heartbeat()
    auditlake.audit("a", "b", "success")
    assert [record.name for record in server.logs] == ["agent_action"]


@pytest.mark.parametrize(
    ("status", "hint"), [(400, "speaks OTLP"), (401, "Bearer"), (403, "token"), (404, "base URL"), (413, "larger"), (500, "log")]
)
def test_a_refusal_raises_with_the_remedy(server: OtlpServer, configure: Configure, status: int, hint: str) -> None:
    """Without durability there is an error that says what to do, and never the record's content."""
    server.status = status
    configure()
    with pytest.raises(auditlake.AuditError, match=hint) as raised:
        auditlake.audit("refund.issue", PERSONAL, "success")
    assert PERSONAL not in str(raised.value)


def test_a_rejected_record_is_not_acknowledged(server: OtlpServer, configure: Configure) -> None:
    """A partial success that rejects the record is a refusal."""
    server.rejected = 1
    configure()
    with pytest.raises(auditlake.AuditError, match="refused"):
        auditlake.audit("a", "b", "success")


def test_a_brief_overload_is_waited_out(server: OtlpServer, configure: Configure) -> None:
    """Retries within the timeout are part of the call."""
    server.statuses = [503, 429]
    configure()
    assert auditlake.audit("a", "b", "success").attempts == 3


def test_a_hanging_collector_ends_in_an_error_in_time(server: OtlpServer, configure: Configure) -> None:
    """The call blocks no longer than its timeout."""
    server.delay_seconds = 3.0
    configure()
    before = time.monotonic()
    with pytest.raises(auditlake.AuditError, match="timeout"):
        auditlake.audit("a", "b", "success", timeout_seconds=0.3)
    assert time.monotonic() - before < 2.5


def test_without_configure_an_audit_is_an_error() -> None:
    """An audit record must not vanish because a line is missing."""
    with pytest.raises(auditlake.AuditError, match="configure"):
        auditlake.audit("a", "b", "success")


def test_audits_from_many_threads_arrive_once_each(server: OtlpServer, configure: Configure) -> None:
    """Threads share the connections, and each record is its own."""
    configure()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: auditlake.audit("a", f"r/{number}", "success"), range(100)))
    assert sorted(event.attributes[names.RESOURCE] for event in server.events("agent_action")) == sorted(f"r/{n}" for n in range(100))


def test_the_spool_keeps_records_encrypted_and_sends_them(configure: Configure, tmp_path: Path) -> None:
    """While the collector is away nothing is raw on disk; when it is back everything arrives and the spool is empty."""
    with serving() as gone:
        port = int(gone.endpoint.rsplit(":", 1)[1])
    handle = configure(endpoint=gone.endpoint, spool_dir=tmp_path / "spool", spool_key=os.urandom(32), timeout_seconds=0.2)
    receipts = [auditlake.audit("refund.issue", PERSONAL, "success", details={"number": number}) for number in range(5)]
    assert [receipt.acknowledged for receipt in receipts] == [False] * 5
    assert handle.spooled == 5
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 5
    for path in files:
        content = path.read_bytes()
        assert PERSONAL.encode() not in content
        assert b"refund.issue" not in content
        assert path.stat().st_mode & 0o777 == 0o600
    with serving(port=port) as back:
        wait_for(lambda: handle.spooled == 0)
        assert [event.attributes["number"] for event in back.events("agent_action")] == [0, 1, 2, 3, 4]
    assert spooled(tmp_path / "spool") == []


def test_another_process_sends_what_was_left(configure: Configure, server: OtlpServer, tmp_path: Path) -> None:
    """A spool outlives its process; the key as base64 text is the same key."""
    key = os.urandom(32)
    configure(endpoint=DEAD, spool_dir=tmp_path, spool_key=key, timeout_seconds=0.1)
    auditlake.audit("a", "b", "success")
    auditlake.shutdown()
    assert len(spooled(tmp_path)) == 1
    handle = configure(spool_dir=tmp_path, spool_key=base64.b64encode(key).decode())
    wait_for(lambda: handle.spooled == 0 and server.events("agent_action"))


def test_a_resend_is_identical(configure: Configure, server: OtlpServer, tmp_path: Path) -> None:
    """After a lost answer the collector recognises the record by its bytes and stores it once."""
    server.delay_seconds = 0.5
    handle = configure(spool_dir=tmp_path, spool_key=os.urandom(32))
    receipt = auditlake.audit("a", "b", "success", timeout_seconds=0.1)
    assert not receipt.acknowledged
    server.delay_seconds = 0.0
    wait_for(lambda: handle.spooled == 0)
    wait_for(lambda: len(server.events("agent_action")) == 2)
    assert len({body for path, _, body in server.requests if path == "/v1/logs"}) == 1


def test_another_key_leaves_the_spool_alone(configure: Configure, server: OtlpServer, tmp_path: Path) -> None:
    """Records that cannot be decrypted stay on disk for whoever has the key."""
    configure(endpoint=DEAD, spool_dir=tmp_path, spool_key=os.urandom(32), timeout_seconds=0.1)
    auditlake.audit("a", "b", "success")
    auditlake.shutdown()
    handle = configure(spool_dir=tmp_path, spool_key=os.urandom(32))
    wait_for(lambda: handle.spooled == 0)
    assert len(spooled(tmp_path)) == 1
    assert server.events("agent_action") == []


def test_a_swapped_or_damaged_file_is_not_sent(configure: Configure, server: OtlpServer, tmp_path: Path) -> None:
    """The ciphertext is bound to its file name, and every bit of it is authenticated."""
    key = os.urandom(32)
    configure(endpoint=DEAD, spool_dir=tmp_path, spool_key=key, timeout_seconds=0.1)
    auditlake.audit("a", "first", "success")
    auditlake.audit("a", "second", "success")
    auditlake.shutdown()
    first, second = spooled(tmp_path)
    first_content, damaged = first.read_bytes(), bytearray(second.read_bytes())
    damaged[-1] ^= 1
    second.write_bytes(damaged)
    first.rename(tmp_path / f"{'0' * 20}-renamed.spool")
    handle = configure(spool_dir=tmp_path, spool_key=key)
    wait_for(lambda: handle.spooled == 0)
    assert server.events("agent_action") == []
    assert (tmp_path / f"{'0' * 20}-renamed.spool").read_bytes() == first_content


def test_a_full_spool_raises(configure: Configure, tmp_path: Path) -> None:
    """The disk is bounded; past it the caller learns that the record is not kept."""
    configure(endpoint=DEAD, spool_dir=tmp_path, spool_key=os.urandom(32), spool_bytes=3000, timeout_seconds=0.05)
    with pytest.raises(auditlake.AuditError, match="full"):  # noqa: PT012
        for _ in range(20):
            auditlake.audit("a", "b", "success")
    assert 0 < sum(path.stat().st_size for path in spooled(tmp_path)) <= 3000


def test_what_will_never_be_accepted_is_not_spooled(configure: Configure, server: OtlpServer, tmp_path: Path) -> None:
    """A request that the collector cannot read raises at once instead of being retried for ever."""
    server.status = 400
    handle = configure(spool_dir=tmp_path, spool_key=os.urandom(32))
    with pytest.raises(auditlake.AuditError):
        auditlake.audit("a", "b", "success")
    assert handle.spooled == 0
