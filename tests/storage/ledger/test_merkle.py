"""RFC 6962 trees: the vectors of transparency-dev/merkle, and every tree up to a size against the second implementation."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.ledger.errors import ProofError
from storage.ledger.merkle import (
    EMPTY_ROOT,
    check_consistency,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    root_from_inclusion,
)
from tests import second_ledger

VECTORS = Path(__file__).parents[2] / "vectors"
LEAVES = [leaf_hash(str(number).encode()) for number in range(70)]
KNOWN = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]


def vectors(name: str) -> list[Any]:
    cases = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    return [pytest.param(case, id=case["case"]) for case in cases]


def decoded(text: str | None) -> bytes:
    return base64.b64decode(text or "")


@pytest.mark.parametrize("case", vectors("merkle-inclusion.json"))
def test_inclusion_proofs_are_judged_as_the_vectors_say(case: dict[str, Any]) -> None:
    proof = [decoded(value) for value in case["proof"] or []]
    try:
        proven = root_from_inclusion(decoded(case["leafHash"]), case["leafIdx"], case["treeSize"], proof) == decoded(case["root"])
    except ProofError:
        proven = False
    assert proven is not case["wantErr"]


@pytest.mark.parametrize("case", vectors("merkle-consistency.json"))
def test_consistency_proofs_are_judged_as_the_vectors_say(case: dict[str, Any]) -> None:
    proof = [decoded(value) for value in case["proof"] or []]
    try:
        check_consistency(case["size1"], case["size2"], decoded(case["root1"]), decoded(case["root2"]), proof)
        consistent = True
    except ProofError:
        consistent = False
    assert consistent is not case["wantErr"]


def test_the_known_leaves_give_the_known_roots() -> None:
    leaves = [leaf_hash(bytes.fromhex(data)) for data in KNOWN]
    assert (
        root([]).hex() == EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )  # pragma: allowlist secret
    assert root(leaves[:1]).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"  # pragma: allowlist secret
    assert root(leaves).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"  # pragma: allowlist secret


def test_a_leaf_cannot_be_passed_off_as_a_node() -> None:
    left, right = LEAVES[:2]
    assert leaf_hash(left + right) != node_hash(left, right)


@pytest.mark.parametrize("size", range(1, len(LEAVES)))
def test_every_proof_of_every_tree_is_the_one_of_the_specification_and_verifies(size: int) -> None:
    leaves = LEAVES[:size]
    top = root(leaves)
    assert top == second_ledger.mth(leaves)
    for index in range(size):
        proof = inclusion_proof(leaves, index)
        assert proof == second_ledger.path(index, leaves)
        assert root_from_inclusion(leaves[index], index, size, proof) == top
        assert second_ledger.included(leaves[index], index, size, proof, top)
    for old in range(1, size + 1):
        proof = consistency_proof(leaves, old)
        assert proof == second_ledger.subproof(old, leaves, True)
        check_consistency(old, size, root(leaves[:old]), top, proof)
        assert second_ledger.consistent(old, size, root(leaves[:old]), top, proof)


@settings(deadline=None)
@given(st.data())
def test_whatever_is_changed_in_a_proof_both_implementations_judge_it_alike(data: st.DataObject) -> None:
    """A proof may also lose, gain or swap hashes, or be offered for other sizes and another place."""
    size = data.draw(st.integers(1, 40))
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(LEAVES[:size], index)
    if proof:
        changed = data.draw(st.lists(st.sampled_from([*proof, LEAVES[50]]), max_size=len(proof) + 1))
    else:
        changed = data.draw(st.lists(st.sampled_from(LEAVES[50:]), max_size=1))
    claimed_index, claimed_size = data.draw(st.integers(0, 45)), data.draw(st.integers(1, 45))
    for at, count, path in ((index, size, changed), (claimed_index, claimed_size, proof), (claimed_index, size, proof)):
        try:
            ours = root_from_inclusion(LEAVES[index], at, count, path) == root(LEAVES[:size])
        except ProofError:
            ours = False
        assert ours == second_ledger.included(LEAVES[index], at, count, path, root(LEAVES[:size]))


@settings(deadline=None)
@given(st.data())
def test_whatever_is_changed_in_a_consistency_proof_both_implementations_judge_it_alike(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, 40))
    old = data.draw(st.integers(1, new))
    proof = consistency_proof(LEAVES[:new], old)
    changed = data.draw(st.lists(st.sampled_from([*proof, LEAVES[50]]), max_size=len(proof) + 1))
    claimed_old, claimed_new = data.draw(st.integers(1, 45)), data.draw(st.integers(1, 45))
    for first, second, path in ((old, new, changed), (claimed_old, claimed_new, proof), (claimed_old, new, proof)):
        roots = root(LEAVES[:old]), root(LEAVES[:new])
        try:
            check_consistency(first, second, *roots, path)
            ours = True
        except ProofError:
            ours = False
        assert ours == (first <= second and second_ledger.consistent(first, second, *roots, path))


def test_every_tree_continues_the_empty_one_and_nothing_else_is_the_empty_one() -> None:
    check_consistency(0, 3, EMPTY_ROOT, root(LEAVES[:3]), [])
    check_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, [])
    for old, new, old_root, new_root, proof in (
        (0, 3, LEAVES[0], root(LEAVES[:3]), []),
        (0, 3, EMPTY_ROOT, root(LEAVES[:3]), [LEAVES[0]]),
        (0, 0, LEAVES[0], LEAVES[0], []),
        (3, 2, root(LEAVES[:3]), root(LEAVES[:2]), []),
        (-1, 2, EMPTY_ROOT, root(LEAVES[:2]), []),
    ):
        with pytest.raises(ProofError):
            check_consistency(old, new, old_root, new_root, proof)


def test_a_proof_for_a_place_outside_of_the_tree_is_refused_with_a_reason() -> None:
    for index, size in ((3, 3), (-1, 3), (0, 0)):
        with pytest.raises(ProofError, match="index must be below the size"):
            root_from_inclusion(LEAVES[0], index, size, [])
    with pytest.raises(ProofError, match="wrong number of hashes"):
        root_from_inclusion(LEAVES[0], 0, 2, [LEAVES[1][:31]])
