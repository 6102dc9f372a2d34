"""The verifier that bundles carry: its Ed25519, trees and canonical form are the specifications', and ours."""

import ast
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.ledger import merkle, verify_bundle
from storage.ledger.bundle import other_hashes
from storage.ledger.canonical import leaf, type_names
from storage.ledger.note import SigningKey, signed
from storage.ledger.row_json import rows_jsonl
from storage.ledger.salts import with_own
from storage.ledger.verify_bundle import Key, Refused, ed25519_verifies, opened, root_of_path, root_of_some
from storage.schema import TABLES
from tests.storage.ledger import adversarial_rows

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "ed25519-rfc8032.json").read_text())
"""RFC 8032, section 7.1."""
LEAVES = [bytes([number % 256, number // 256]) * 16 for number in range(40)]


@pytest.mark.parametrize("vector", VECTORS)
def test_the_vectors_of_rfc_8032_verify(vector: dict[str, str]) -> None:
    public, message, signature = (bytes.fromhex(vector[name]) for name in ("public", "message", "signature"))
    assert ed25519_verifies(public, message, signature)
    assert not ed25519_verifies(public, message + b"x", signature)


def test_a_signature_has_one_form_only() -> None:
    public, message, signature = (bytes.fromhex(VECTORS[1][name]) for name in ("public", "message", "signature"))
    s = int.from_bytes(signature[32:], "little") + verify_bundle.ORDER  # section 5.1.7: S below the order of the group
    assert not ed25519_verifies(public, message, signature[:32] + s.to_bytes(32, "little"))
    assert not ed25519_verifies(public, message, signature[:63])
    assert not ed25519_verifies(public[:31], message, signature)
    assert not ed25519_verifies((2**255 - 1).to_bytes(32, "little"), message, signature)  # y is no element of the field
    assert not ed25519_verifies((2).to_bytes(32, "little"), message, signature)  # no point has this y


@settings(max_examples=15, deadline=None)
@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=200), bit=st.integers(0, 64 * 8 - 1))
def test_it_agrees_with_a_library_and_refuses_any_flipped_bit(seed: bytes, message: bytes, bit: int) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    signature, public = key.sign(message), key.public_key().public_bytes_raw()
    assert ed25519_verifies(public, message, signature)
    flipped = bytearray(signature)
    flipped[bit // 8] ^= 1 << bit % 8
    assert not ed25519_verifies(public, message, bytes(flipped))


def test_keys_and_notes_are_read_as_they_are_written() -> None:
    signer = SigningKey.from_seed("node/collector", bytes(32))
    body = "node/collector\n1\nAAAA\n"
    note = signed(body, [signer.sign(body), signer.cosign(body, 1_795_262_400)])
    key = Key(str(signer.verifier))
    assert opened(note, [key], "it") == (body, {key.text: 0, str(signer.verifier.cosigner): 1_795_262_400})
    other = SigningKey.from_seed("node/collector", b"\x01" * 32)
    assert opened(note, [Key(str(other.verifier))], "it") == (body, {})
    for wrong in (note.replace("1\n", "2\n", 1), note[:-1], note + "x\n", note.replace("\n\n", "\n", 1)):
        with pytest.raises(Refused):
            opened(wrong, [key], "it")


@pytest.mark.parametrize("text", ["", "name", "a+b", "node+00000000+AQ==", "node+zz+AA=="])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        Key(text)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_hashes_of_other_leaves_make_the_root_with_any_known_ones(data: st.DataObject) -> None:
    leaves = LEAVES[: data.draw(st.integers(1, len(LEAVES)))]
    known = sorted(data.draw(st.sets(st.integers(0, len(leaves) - 1), min_size=1)))
    hashes = other_hashes(leaves, known)
    found = {place: leaves[place] for place in known}
    assert root_of_some(found, len(leaves), hashes, "it") == merkle.root(leaves)
    for wrong in (hashes[1:], [*hashes, LEAVES[0]]):
        if wrong != hashes:
            with pytest.raises(Refused):
                root_of_some(found, len(leaves), wrong, "it")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_inclusion_proofs_lead_to_the_root_and_to_no_other(data: st.DataObject) -> None:
    leaves: Sequence[bytes] = LEAVES[: data.draw(st.integers(1, len(LEAVES)))]
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = merkle.inclusion_proof(leaves, index)
    assert root_of_path(leaves[index], index, len(leaves), path, "it") == merkle.root(leaves)
    assert root_of_path(b"x" * 32, index, len(leaves), path, "it") != merkle.root(leaves)
    for place, wrong in ((len(leaves), path), (-1, path), (index, [*path, LEAVES[0]])):
        with pytest.raises(Refused):
            root_of_path(leaves[index], place, len(leaves), wrong, "it")


@pytest.mark.parametrize("table", TABLES)
def test_rows_have_the_same_leaf_after_they_were_json(table: str) -> None:
    rows = adversarial_rows.rows(table, 80)
    types = type_names(TABLES[table])
    lines = rows_jsonl(with_own(adversarial_rows.arrow(table, rows))).split(b"\n")
    assert lines.pop() == b""
    read = [verify_bundle.parsed(line, "it") for line in lines]
    assert [verify_bundle.leaf_of(row, types, "it") for row in read] == [leaf(row, types) for row in rows]


@pytest.mark.parametrize(
    "change",
    [
        {"start_ns": "1"}, {"start_ns": 1.0}, {"start_ns": True}, {"latency_ms": 1}, {"latency_ms": "1.5"}, {"resent": 1},
        {"start_time": "yesterday"}, {"start_time": 1}, {"name": 1}, {"attributes": ["a"]}, {"unknown": "x"}, {"salt": "zz"},
        {"salt": None}, {"salt": "00" * 15}, {"salt": "00" * 32}, {"salt": "00" * 15 + " 00"},
        {"links": [{"trace_id": "t"}]}, {"links": "x"}, {"name=t1:xb": "x"},
    ],
)  # fmt: skip
def test_a_row_with_other_columns_or_types_has_no_leaf(change: dict[str, object]) -> None:
    types = type_names(TABLES["spans"])
    row: dict[str, object] = {"origin": "node/collector", "entry": 1, "salt": "00" * 16}
    assert len(verify_bundle.leaf_of(row, types, "it")) == 32
    with pytest.raises(Refused):
        verify_bundle.leaf_of(row | change, types | {"name=t1:xb": "text"}, "it")


@pytest.mark.parametrize("text", ['{"a":1,"a":2}', '{"a":NaN}', "{", "", '{"a":{"b":1,"b":1}}'])
def test_json_that_readers_could_read_differently_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        verify_bundle.parsed(text, "it")


def test_it_needs_the_standard_library_of_python_3_7_alone() -> None:
    source = Path(verify_bundle.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 7))
    modules = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    modules |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in modules} <= sys.stdlib_module_names
