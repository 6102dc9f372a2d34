"""A receipt is one text, signed by its origin's key, and nothing that is changed in it passes."""

import base64
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature

from storage.ledger.errors import NoteError
from storage.ledger.note import Checkpoint, SigningKey, opened, signed
from storage.ledger.receipt import CONTEXT, MAX_CHARACTERS, Receipt, issue

ORIGIN = "node/collector"
KEY = SigningKey.from_seed(ORIGIN, bytes(range(32)))
OTHER = SigningKey.from_seed(ORIGIN, bytes(32))
DIGEST = "ab" * 32


def issued() -> str:
    return issue(KEY, entry=7, received_ns=1_795_262_400_000_000_001, records=3, digest=DIGEST)


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def test_a_receipt_says_where_the_records_will_be_and_who_says_so():
    receipt = Receipt.parse(issued())
    assert (receipt.origin, receipt.entry, receipt.received_ns, receipt.records) == (ORIGIN, 7, 1_795_262_400_000_000_001, 3)
    assert receipt.digest == DIGEST
    assert receipt.text() == issued()
    assert receipt.signed_by([OTHER.verifier, KEY.verifier]) == KEY.verifier


def test_it_is_canonical_json_that_anyone_can_check():
    """As docs/receipts.md has it, with the standard library and an Ed25519 verifier."""
    fields = json.loads(decoded(issued()))
    signature = base64.b64decode(fields.pop("sig"))
    message = b"auditlake receipt v1\n" + json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    assert KEY.verifier.signed(message, signature)


@pytest.mark.parametrize(
    "change",
    [{"origin": "other/collector"}, {"entry": 8}, {"received_ns": 1}, {"records": 2}, {"digest": "cd" * 32}],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_field_is_refused(change):
    changed = replace(Receipt.parse(issued()), **change)
    with pytest.raises(NoteError, match="altered"):
        Receipt.parse(changed.text()).signed_by([KEY.verifier, SigningKey.from_seed("other/collector", bytes(range(32))).verifier])


def test_another_key_of_the_same_name_is_refused():
    with pytest.raises(NoteError, match="none of the given keys"):
        Receipt.parse(issued()).signed_by([OTHER.verifier])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing",
        "ä" * 10,
        "A" * (MAX_CHARACTERS + 1),
        encoded(b"[]"),
        encoded(b"{}"),
        encoded(decoded(issued()).replace(b'"entry":7', b'"entry":true')),
        encoded(decoded(issued()).replace(b'"entry":7', b'"entry": 7')),
        encoded(decoded(issued()).replace(b'"entry":7', b'"entry":7,"more":1')),
        encoded(decoded(issued()).replace(DIGEST.encode(), b"AB" * 32)),
        issued() + "=",
    ],
)
def test_what_is_not_exactly_a_receipt_is_refused_and_not_repeated(text):
    with pytest.raises(NoteError, match="not a receipt") as caught:
        Receipt.parse(text)
    assert not text or text not in str(caught.value)


def test_a_receipt_is_no_checkpoint_and_a_checkpoint_no_receipt():
    """The same key signs both: neither signature may be shown for the other."""
    fields = json.loads(decoded(issued()))
    signature = base64.b64decode(fields.pop("sig"))
    body = Checkpoint(ORIGIN, 1, bytes(32)).body()
    line = KEY.sign(body)
    forged = line.rpartition(" ")[0] + " " + base64.b64encode(KEY.verifier.id + signature).decode()
    with pytest.raises(NoteError):
        opened(signed(body, [forged]), [KEY.verifier])
    taken = base64.b64decode(line.rpartition(" ")[2])[4:]
    with pytest.raises(NoteError):
        replace(Receipt.parse(issued()), signature=taken).signed_by([KEY.verifier])
    assert not body.startswith(CONTEXT.decode())


def test_the_check_in_the_documentation_works():
    page = (Path(__file__).parents[3] / "docs" / "receipts.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["check"](issued(), str(KEY.verifier))["entry"] == 7
    with pytest.raises(InvalidSignature):
        names["check"](issued(), str(OTHER.verifier))
