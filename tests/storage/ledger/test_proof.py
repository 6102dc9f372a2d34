"""The tlog-proof of one entry: written as the specification says, refused in every other form, and never proving another entry."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.ledger import merkle
from storage.ledger.errors import LedgerError, NoteError, ProofError
from storage.ledger.note import Checkpoint, SigningKey, signed
from storage.ledger.proof import EntryProof
from tests import second_ledger

KEY = SigningKey.from_seed("node/collector", bytes(range(32)))
LEAVES = [merkle.leaf_hash(b"entry %d" % number) for number in range(11)]
BODY = Checkpoint("node/collector", 11, merkle.root(LEAVES)).body()
CHECKPOINT = signed(BODY, [KEY.sign(BODY), KEY.cosign(BODY, 1_795_262_400)])
PROOF = EntryProof(index=4, hashes=tuple(merkle.inclusion_proof(LEAVES, 4)), checkpoint=CHECKPOINT)
HASH = base64.b64encode(bytes(32)).decode()


def test_a_proof_is_written_as_the_specification_says() -> None:
    lines = "\n".join(base64.b64encode(value).decode() for value in second_ledger.path(4, LEAVES))
    assert PROOF.text() == f"c2sp.org/tlog-proof@v1\nindex 4\n{lines}\n\n{CHECKPOINT}"
    extra = EntryProof(index=0, hashes=(), checkpoint=CHECKPOINT, extra=b"row 3")
    assert extra.text() == f"c2sp.org/tlog-proof@v1\nextra cm93IDM=\nindex 0\n\n{CHECKPOINT}"


@pytest.mark.parametrize("extra", [None, b"", b"row 3"])
def test_a_proof_reads_back_and_verifies(extra: bytes | None) -> None:
    for index, leaf in enumerate(LEAVES):
        written = EntryProof(index=index, hashes=tuple(merkle.inclusion_proof(LEAVES, index)), checkpoint=CHECKPOINT, extra=extra).text()
        read = EntryProof.parse(written.encode())
        assert read.extra == extra
        assert read.verified(leaf, [KEY.verifier], origin="node/collector").size == 11


def test_the_only_entry_of_a_log_has_an_empty_path() -> None:
    body = Checkpoint("node/collector", 1, LEAVES[0]).body()
    text = EntryProof(index=0, hashes=(), checkpoint=signed(body, [KEY.sign(body)])).text()
    assert EntryProof.parse(text).verified(LEAVES[0], [KEY.verifier]).size == 1


def test_it_proves_no_other_entry_no_other_place_and_no_other_log() -> None:
    with pytest.raises(ProofError, match="the entry is not the one in the signed log"):
        PROOF.verified(LEAVES[5], [KEY.verifier])
    with pytest.raises(ProofError, match="the entry is not the one in the signed log"):
        EntryProof(index=5, hashes=PROOF.hashes, checkpoint=CHECKPOINT).verified(LEAVES[4], [KEY.verifier])
    with pytest.raises(ProofError, match="wrong number of hashes"):
        EntryProof(index=4, hashes=PROOF.hashes[:-1], checkpoint=CHECKPOINT).verified(LEAVES[4], [KEY.verifier])
    with pytest.raises(ProofError, match="index must be below"):
        EntryProof(index=11, hashes=PROOF.hashes, checkpoint=CHECKPOINT).verified(LEAVES[4], [KEY.verifier])
    with pytest.raises(NoteError, match="another log's"):
        PROOF.verified(LEAVES[4], [KEY.verifier], origin="node/access")
    with pytest.raises(NoteError, match="none of the given keys"):
        PROOF.verified(LEAVES[4], [SigningKey.from_seed("node/collector", bytes(32)).verifier])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not a proof at all",
        "c2sp.org/tlog-proof@v1\n",
        "c2sp.org/tlog-proof@v2\nindex 0\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\n\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex notanumber\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex -5\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex 05\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex  5\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nextra !!\nindex 0\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex 0\nextra AAAA\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex 0\n!!notbase64!!\n\ncheckpoint\n",
        f"c2sp.org/tlog-proof@v1\nindex 0\n{HASH[:22]}==\n\ncheckpoint\n",
        f"c2sp.org/tlog-proof@v1\nindex 0\n{HASH[:-2]}B=\n\ncheckpoint\n",
        f"c2sp.org/tlog-proof@v1\nindex 0\n{HASH} \n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex 0\n" + f"{HASH}\n" * 64 + "\ncheckpoint\n",
        b"c2sp.org/tlog-proof@v1\nindex 0\n\n\xff",
    ],
)
def test_a_malformed_proof_is_refused(text: str | bytes) -> None:
    with pytest.raises(ProofError, match="could not read a tlog-proof"):
        EntryProof.parse(text)


@settings(deadline=None)
@given(st.data())
def test_no_bit_of_a_proof_can_be_flipped(data: st.DataObject) -> None:
    """Except in the name and id of a signature, which makes it a stranger's: here that leaves one of two, or none."""
    spoiled = bytearray(PROOF.text().encode())
    at = data.draw(st.integers(0, len(spoiled) - 1))
    spoiled[at] ^= 1 << data.draw(st.integers(0, 7))
    keys = [KEY.verifier, KEY.verifier.cosigner]
    try:
        EntryProof.parse(bytes(spoiled)).verified(LEAVES[4], keys)
    except LedgerError:
        return
    assert at > PROOF.text().encode().index("— ".encode())
