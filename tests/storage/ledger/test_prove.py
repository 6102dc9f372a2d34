"""One record's proof is a c2sp.org/tlog-proof that a foreign tool reads, and leads from the record to the checkpoint."""

import base64
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest

from collector.sealer import seal_pending
from storage.catalog import Catalog
from storage.derivations import Publisher
from storage.erasure import Hooks
from storage.ledger.errors import LedgerError, NoteError
from storage.ledger.evidence import Place
from storage.ledger.keys import Keys, known_keys
from storage.ledger.log import Log
from storage.ledger.note import SigningKey, VerifierKey, signed, split
from storage.ledger.proof import EntryProof
from storage.ledger.prove import NotProven, RecordProof, parse_record_id, prove, prove_places, prove_receipt
from storage.ledger.receipt import issue
from storage.ledger.verify_bundle import Key, Refused, verify, verify_proof
from storage.retention import apply
from storage.retention_rules import RetentionRule
from storage.schema import CANONICAL, DERIVATION
from tests import second_ledger
from tests.collector.test_ledger_receipts import body_of, sent
from tests.sealed_lake import RECEIVED_NS
from tests.storage.ledger import evidence_files

ORIGIN = "node/collector"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return evidence_files.sealed(tmp_path_factory.mktemp("prove") / "data")


@pytest.fixture(scope="module")
def catalog(data: Path) -> Any:
    with closing(Catalog.open(data, read_only=True)) as opened:
        yield opened


@pytest.fixture(scope="module")
def proof(data: Path, catalog: Catalog) -> RecordProof:
    return prove(data, catalog, f"{ORIGIN}/0/1")


def keys(data: Path) -> list[Key]:
    return [Key(text) for text in known_keys(data)]


def changed(text: str, change: Callable[[dict[str, Any]], None]) -> str:
    """The proof with something else in its extra data."""
    parsed = EntryProof.parse(text)
    extra = orjson.loads(parsed.extra or b"")
    change(extra)
    return EntryProof(index=parsed.index, hashes=parsed.hashes, checkpoint=parsed.checkpoint, extra=orjson.dumps(extra)).text()


def test_a_record_is_proven_from_its_values_to_the_checkpoint(data: Path, proof: RecordProof, tmp_path: Path) -> None:
    (record,) = proof.records
    assert (record["table"], record["position"], record["row"]["name"]) == ("spans", 1, "look up")
    path = tmp_path / "record.tlog-proof"
    path.write_text(proof.text, newline="")
    said = verify(path, keys(data))
    assert said[0] == f"{ORIGIN}/0/1: a row of spans"
    assert said[-1] == "VALID: as it was committed, by your keys"
    with pytest.raises(Refused, match="a proof brings no keys"):
        verify(path)


def test_another_implementation_verifies_the_entry_of_the_same_file(data: Path, proof: RecordProof) -> None:
    header, extra, index, *hashes = proof.text.partition("\n\n")[0].split("\n")
    assert header == "c2sp.org/tlog-proof@v1"
    entry = orjson.loads(base64.b64decode(extra.removeprefix("extra ")))["entry"].encode()
    body, signers = second_ledger.open_note(proof.text.partition("\n\n")[2].encode(), known_keys(data))
    origin, size, root = second_ledger.checkpoint(body)
    assert (origin, size, len(signers)) == (ORIGIN, 2, 1)
    path = [base64.b64decode(line) for line in hashes]
    assert second_ledger.included(second_ledger.sha256(b"\0", entry), int(index.removeprefix("index ")), size, path, root)


def test_every_record_of_an_entry_can_be_proven_whatever_its_table(data: Path, catalog: Catalog) -> None:
    tables = [prove(data, catalog, f"{ORIGIN}/1/{row}").records[0]["table"] for row in range(4)]
    assert tables == ["spans", "spans", "events", "events"]


def test_several_records_of_an_entry_have_one_proof(data: Path, catalog: Catalog) -> None:
    made = prove_places(data, catalog, [Place("spans", ORIGIN, 0, 0), Place("spans", ORIGIN, 0, 3)])
    assert len(verify_proof(made.text, keys(data), [])) == 4
    with pytest.raises(LedgerError, match="one proof is of one entry"):
        prove_places(data, catalog, [Place("spans", ORIGIN, 0, 0), Place("spans", ORIGIN, 1, 0)])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda extra: extra["records"][0]["row"].update(name="other"), "is not what log entry 0"),
        (lambda extra: extra["records"][0]["row"].update(entry=1), "is of another entry"),
        (lambda extra: extra["records"][0].update(position=0), "is not what log entry 0"),
        (lambda extra: extra["records"][0].update(position=9), "is not in its tree"),
        (lambda extra: extra["records"][0]["path"].pop(), "wrong length"),
        (lambda extra: extra["records"].append(extra["records"][0]), "twice"),
        (lambda extra: extra["records"].clear(), "of no record"),
        (lambda extra: extra["types"]["spans"].update(name="int"), "not of the type int"),
        (lambda extra: extra.pop("types"), "does not have the form"),
        (lambda extra: extra.update(entry=extra["entry"].replace("spans", "span_")), "is not in the log"),
    ],
)
def test_a_changed_proof_is_refused(data: Path, proof: RecordProof, change: Any, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "changed.tlog-proof"
    path.write_text(changed(proof.text, change), newline="")
    with pytest.raises(Refused, match=problem):
        verify(path, keys(data))


NO_IDS = ["", "x", "a/b", "node/collector/1", "node/collector/1/x", "/1/2", "node/collector/-1/0", "node/collector/1/٣"]


@pytest.mark.parametrize("text", [*NO_IDS, f"{ORIGIN}/{2**64}/0"])
def test_what_is_no_record_id_is_said(text: str, data: Path, catalog: Catalog) -> None:
    with pytest.raises(NotProven):
        prove(data, catalog, text)


def test_an_origin_may_have_any_number_of_parts() -> None:
    assert parse_record_id("node/collector/12/34") == ("node/collector", 12, 34)
    assert parse_record_id("node/dashboard/access/12/34") == ("node/dashboard/access", 12, 34)


@pytest.mark.parametrize(("record_id", "hint"), [("node/collector/7/0", "no such entry"), ("node/collector/0/4", "the entry has 4 rows")])
def test_a_record_that_is_not_there_is_said(record_id: str, hint: str, data: Path, catalog: Catalog) -> None:
    with pytest.raises(NotProven, match=hint):
        prove(data, catalog, record_id)


def test_a_record_that_expired_with_its_whole_entry_is_said_to_be_gone(tmp_path: Path) -> None:
    """There are no tombstones of it: the log names the entries of which nothing is left."""
    data = evidence_files.sealed(tmp_path / "data")
    assert apply(data, [RetentionRule(keep_seconds=1)], now_ns=RECEIVED_NS + 10**15, hooks=Hooks()).rows == 8
    with closing(Catalog.open(data)) as catalog:
        seal_pending(data, catalog)
        with pytest.raises(NotProven, match="erased or expired"):
            prove(data, catalog, f"{ORIGIN}/0/1")
        with pytest.raises(NotProven, match="none of its records is stored"):
            prove_receipt(data, catalog, receipt(data), verifiers(data))


def test_what_was_derived_of_a_record_has_a_proof_of_its_own(tmp_path: Path) -> None:
    data = evidence_files.sealed(tmp_path / "data")
    row = {"of_table": "spans", "of_origin": ORIGIN, "of_entry": 0, "of_row": 1, "time_ns": RECEIVED_NS, "derived_ns": RECEIVED_NS}
    with closing(Publisher(data, "node")) as publisher:
        publisher.publish(pa.Table.from_pylist([row], schema=pa.schema([*DERIVATION, *CANONICAL])), now_ns=RECEIVED_NS, runs={})
    with closing(Catalog.open(data)) as catalog:
        seal_pending(data, catalog)
        made = prove(data, catalog, "node/rederive/0/0")
    assert (made.records[0]["table"], made.records[0]["row"]["of_row"]) == ("derivations", 1)
    assert verify_proof(made.text, keys(data), [])[0] == "node/rederive/0/0: a row of derivations"


def test_the_checkpoint_that_a_witness_cosigned_is_the_one_that_is_shown(tmp_path: Path) -> None:
    data = evidence_files.sealed(tmp_path / "data")
    log, witness = Log(data, ORIGIN), SigningKey.from_seed("witness.example", b"\x07" * 32)
    body, lines = split(log.checkpoint() or "")
    note = signed(body, [*lines, witness.cosign(body, 1_795_262_400)])
    (log.folder / "witnessed").mkdir()
    (log.folder / "witnessed" / witness.verifier.cosigner.id.hex()).write_text(note, newline="")
    signer = Keys(data).signer(ORIGIN)
    newer = signed(body, [signer.sign(body), signer.cosign(body, 1_900_000_000)])
    (log.folder / "checkpoint").write_text(newer, newline="")
    with closing(Catalog.open(data, read_only=True)) as catalog:
        made = prove(data, catalog, f"{ORIGIN}/0/0")
    said = verify_proof(made.text, keys(data), [Key(str(witness.verifier.cosigner))])
    assert "signed by witness.example at 2026-11-21T12:00:00Z" in said[1]
    assert "2030-03-17" in said[1]  # the newer signature of the log is there too


def receipt(data: Path, **changes: Any) -> str:
    """What the collector gives for a request whose records came at this time."""
    stated = {"entry": 0, "received_ns": RECEIVED_NS, "records": 4, "digest": "0" * 64}
    return issue(Keys(data).signer(ORIGIN), **(stated | changes))


def verifiers(data: Path) -> list[VerifierKey]:
    return [VerifierKey.parse(text) for text in known_keys(data)]


def test_a_receipt_becomes_the_proof_of_all_its_records(data: Path, catalog: Catalog) -> None:
    found = prove_receipt(data, catalog, receipt(data), verifiers(data))
    assert [record["row"]["entry_row"] for record in found.proof.records] == [0, 1, 2, 3]
    said = verify_proof(found.proof.text, keys(data), [])
    assert said[4] == f"receipt for 4 records of the request with SHA-256 {'0' * 64}: 4 are here"
    assert said[-1].startswith("VALID")


def test_receipts_of_requests_that_share_an_entry_are_of_their_own_records(tmp_path: Path) -> None:
    receipts = sent(tmp_path, body_of("a", "b"), body_of("c"))
    with closing(Catalog.open(tmp_path)) as catalog:
        seal_pending(tmp_path, catalog)
        found = [prove_receipt(tmp_path, catalog, each.text(), verifiers(tmp_path)) for each in receipts]
    assert [[record["row"]["name"] for record in each.proof.records] for each in found] == [["a", "b"], ["c"]]
    assert [len(verify_proof(each.proof.text, keys(tmp_path), [])) for each in found] == [5, 4]


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"entry": 2}, "not sealed yet"),
        ({"entry": -1}, "is missing"),
        ({"received_ns": 1}, "none of its records is stored"),
    ],
)
def test_a_receipt_whose_records_are_not_there_says_why(data: Path, catalog: Catalog, changes: dict[str, Any], hint: str) -> None:
    with pytest.raises(NotProven, match=hint):
        prove_receipt(data, catalog, receipt(data, **changes), verifiers(data))


def test_a_receipt_of_another_key_is_refused(data: Path, catalog: Catalog) -> None:
    other = SigningKey.from_seed(ORIGIN, b"\x01" * 32)
    forged = issue(other, entry=0, received_ns=RECEIVED_NS, records=4, digest="0" * 64)
    with pytest.raises(NoteError, match="none of the given keys signed it"):
        prove_receipt(data, catalog, forged, verifiers(data))
    with pytest.raises(NoteError, match="not a receipt"):
        prove_receipt(data, catalog, "x", verifiers(data))


def test_a_receipt_in_a_proof_is_of_these_rows_and_of_the_logs_key(data: Path, catalog: Catalog) -> None:
    proven = prove_receipt(data, catalog, receipt(data), verifiers(data)).proof.text
    other = issue(SigningKey.from_seed(ORIGIN, b"\x01" * 32), entry=0, received_ns=RECEIVED_NS, records=4, digest="0" * 64)
    wrong = (
        (other, "signed the receipt"),
        (receipt(data, entry=1), "not of the request"),
        (receipt(data, records=3), "more rows"),
        ("x", "."),
    )
    for text, problem in wrong:
        with pytest.raises(Refused, match=problem):
            verify_proof(changed(proven, lambda extra, text=text: extra.update(receipt=text)), keys(data), [])
