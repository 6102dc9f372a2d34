"""Whatever is asked of a witness, in whatever order: everything that it cosigned is one growing history."""

import tempfile
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from storage.ledger.cosigning import request
from storage.ledger.merkle import consistency_proof, leaf_hash, root
from storage.ledger.note import Checkpoint, SigningKey, signed
from storage.ledger.witness import Witness

ORIGIN = "node/collector"
SIGNER = SigningKey.from_seed(ORIGIN, bytes(range(32)))

asked = st.tuples(st.integers(0, 2), st.integers(0, 12), st.none() | st.integers(0, 12), st.sampled_from([None, None, None, 0, 1, 2]))
"""Which history, its size, the old size that is claimed (None: the witness's), and the history whose proof is sent (None: the same)."""


def history(number: int, size: int) -> list[bytes]:
    """Leaves of one of three logs under one key: 0 and 1 part after 4 entries, 2 from the beginning."""
    common = {0: 12, 1: 4, 2: 0}[number]
    return [leaf_hash(f"entry {at}".encode() if at < common else f"entry {at} of {number}".encode()) for at in range(size)]


@given(st.lists(asked, max_size=15))
@settings(max_examples=60, deadline=None)
def test_what_a_witness_cosigned_is_one_growing_history(requests: list[tuple[int, int, int | None, int | None]]) -> None:
    cosigned: list[list[bytes]] = []
    with tempfile.TemporaryDirectory() as folder:
        witness = Witness(Path(folder), "example.com/w", {ORIGIN: [SIGNER.verifier]}, clock=lambda: 1_795_262_400)
        for number, size, claimed, proven in requests:
            leaves, known = history(number, size), len(cosigned[-1]) if cosigned else 0
            old = known if claimed is None else claimed
            body = Checkpoint(ORIGIN, size, root(leaves)).body()
            proof = consistency_proof(history(number if proven is None else proven, size), old) if old <= size else []
            answer = witness.add_checkpoint(request(old, proof, signed(body, [SIGNER.sign(body)])))
            honest = proven is None and old == known and (not cosigned or leaves[:known] == cosigned[-1])
            assert (answer.status == 200) or not (honest and old <= size), "a log that only grew is never refused"
            if answer.status == 200:
                cosigned.append(leaves)
        witness.close()
    assert all(later[: len(earlier)] == earlier for earlier, later in pairwise(cosigned))
