"""Signed notes, checkpoints and cosignatures: notes of others that must open, every way to spoil one, the second implementation."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.ledger.errors import NoteError
from storage.ledger.note import (
    MAX_SIGNATURES,
    Checkpoint,
    SigningKey,
    VerifierKey,
    opened,
    signed,
)
from tests import second_ledger

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "signed-notes.json").read_text(encoding="utf-8"))
PETER = VECTORS[0]
KEY = SigningKey.from_seed("node/collector", bytes(range(32)))
OTHER = SigningKey.from_seed("witness.example/w1", bytes(range(1, 33)))
BODY = Checkpoint("node/collector", 7, bytes(range(32))).body()
NOTE = signed(BODY, [KEY.sign(BODY), KEY.cosign(BODY, 1_795_262_400), OTHER.cosign(BODY, 1_795_262_401)])


@pytest.mark.parametrize("case", [pytest.param(case, id=case["key"].split("+")[0]) for case in VECTORS])
def test_notes_that_others_signed_open_with_their_keys(case: dict[str, Any]) -> None:
    """The Go checksum database, its test keys, and a checkpoint of a public log with the cosignatures of public witnesses."""
    key = VerifierKey.parse(case["key"])
    found = opened(case["note"], [key])
    assert str(key) == case["key"]
    assert found.by == (key,)
    assert found.times == ({key: case["time"]} if "time" in case else {})
    text, by = second_ledger.open_note(case["note"].encode(), [case["key"]])
    assert (text.decode(), by) == (found.body, {case["key"]: case.get("time")})


def test_our_signature_is_the_one_of_the_reference_implementation() -> None:
    """Ed25519 is deterministic: the same seed, name and text give the same line."""
    *_, secret = PETER["signer"].split("+", 4)
    key = SigningKey.from_seed("PeterNeumann", base64.b64decode(secret)[1:])
    body = PETER["note"].rpartition("\n\n")[0] + "\n"
    assert str(key.verifier) == PETER["key"]
    assert signed(body, [key.sign(body)]) == PETER["note"]


def test_the_example_of_the_checkpoint_specification_is_read_and_written_as_it_is() -> None:
    body = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    found = Checkpoint.parse(body)
    assert (found.origin, found.size, len(found.root), found.extensions) == ("example.com/behind-the-sofa", 20_852_163, 32, ())
    assert found.body() == body
    assert Checkpoint.parse(body + "more\n").body() == body + "more\n"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "o\n1\n",
        f"\n1\n{'A' * 43}=\n",
        f"o\n01\n{'A' * 43}=\n",
        f"o\n-1\n{'A' * 43}=\n",
        f"o\n+1\n{'A' * 43}=\n",
        f"o\n1_0\n{'A' * 43}=\n",
        f"o\n\uff11\n{'A' * 43}=\n",
        f"o\n{2**63}\n{'A' * 43}=\n",
        f"o\n1\n{'A' * 43}\n",
        f"o\n1\n{'A' * 42}B=\n",
        f"o\n1\n{'A' * 44}\n",
        f"o\n1\n{'A' * 22}\n{'A' * 21}=\n",
        f"o\n1\n{'A' * 43}=",
        f"o\n1\n{'A' * 43}=\n\n",
        f"o\n1\n{'A' * 43}=\n\nx\n",
    ],
)
def test_a_checkpoint_has_one_form(body: str) -> None:
    """Also refused: base64 whose unused bits are set, digits that are not ASCII, empty lines."""
    with pytest.raises(NoteError, match="origin, size, base64 of the root"):
        Checkpoint.parse(body)


def test_a_note_names_who_signed_and_when() -> None:
    keys = [KEY.verifier, KEY.verifier.cosigner, OTHER.verifier.cosigner, OTHER.verifier]
    found = opened(NOTE.encode(), keys)
    assert found.body == BODY
    assert found.by == tuple(keys[:3])
    assert found.times == {keys[1]: 1_795_262_400, keys[2]: 1_795_262_401}
    text, by = second_ledger.open_note(NOTE.encode(), [str(key) for key in keys])
    assert text.decode() == BODY
    assert by == {str(keys[0]): None, str(keys[1]): 1_795_262_400, str(keys[2]): 1_795_262_401}


def test_of_two_cosignatures_of_a_key_the_newer_time_counts() -> None:
    lines = [OTHER.cosign(BODY, time_s) for time_s in (20, 30, 10)]
    assert opened(signed(BODY, lines), [OTHER.verifier.cosigner]).times == {OTHER.verifier.cosigner: 30}


def test_signatures_of_unknown_keys_are_ignored_also_under_a_known_name() -> None:
    impostor = SigningKey.from_seed(KEY.name, bytes(32))
    note = signed(BODY, [impostor.sign(BODY), "— grease.invalid Z3JlYXNl", KEY.sign(BODY)])
    assert opened(note, [KEY.verifier]).by == (KEY.verifier,)
    with pytest.raises(NoteError, match="none of the given keys signed"):
        opened(note, [OTHER.verifier, KEY.verifier.cosigner])
    with pytest.raises(NoteError, match="none of the given keys signed"):
        opened(note, [])


def test_one_false_signature_of_a_known_key_spoils_the_note() -> None:
    false = KEY.sign(BODY.replace("\n7\n", "\n8\n"))
    for lines in ([false], [KEY.sign(BODY), false], [OTHER.sign(BODY), false]):
        with pytest.raises(NoteError, match=r"the signature of node/collector is not over this text"):
            opened(signed(BODY, lines), [KEY.verifier, OTHER.verifier])


def test_a_signature_is_no_cosignature_and_the_other_way_round() -> None:
    """The same key signs both; the id of one on the bytes of the other must not verify."""
    name, blob = KEY.name, base64.b64decode(KEY.sign(BODY).split(" ")[2])
    time_and_signature = base64.b64decode(KEY.cosign(BODY, 5).split(" ")[2])[4:]
    cosigner = KEY.verifier.cosigner
    as_cosignature = base64.b64encode(cosigner.id + (5).to_bytes(8, "big") + blob[4:]).decode()
    as_signature = base64.b64encode(KEY.verifier.id + time_and_signature[8:]).decode()
    for line in (as_cosignature, as_signature):
        with pytest.raises(NoteError, match="not over this text"):
            opened(signed(BODY, [f"— {name} {line}"]), [KEY.verifier, cosigner])
    with pytest.raises(NoteError, match="sign a note"):
        KEY.sign(f"cosignature/v1\ntime 5\n{BODY}")


@settings(deadline=None)
@given(st.data())
def test_no_byte_of_a_note_can_be_changed(data: st.DataObject) -> None:
    """What opens after a flipped bit has the same text; only lines of unknown keys may differ, and here there are none."""
    spoiled = bytearray(NOTE.encode())
    at = data.draw(st.integers(0, len(spoiled) - 1))
    spoiled[at] ^= 1 << data.draw(st.integers(0, 7))
    keys = [KEY.verifier, KEY.verifier.cosigner, OTHER.verifier.cosigner]
    try:
        found = opened(bytes(spoiled), keys)
    except NoteError:
        return
    assert found.body == BODY
    assert len(found.by) < len(keys)  # the name or the id was hit: that line is now a stranger's


@pytest.mark.parametrize(
    "spoil",
    [
        lambda note: BODY,
        lambda note: BODY + "\n",
        lambda note: note[:-1],
        lambda note: note + "\n",
        lambda note: note + "Unexpected line.\n",
        lambda note: note.replace("\n", "\r\n"),
        lambda note: "\x01" + note,
        lambda note: note.replace("— node", "- node"),
        lambda note: note.replace("— node/collector ", "— node/collector  "),
        lambda note: note.replace("— node/collector ", "— node collector "),
        lambda note: note.replace("— node/collector ", "— node+collector "),
        lambda note: note.replace("— node/collector ", "— node\u2003collector "),
        lambda note: note.replace("— node/collector ", "—  "),
        lambda note: note.replace("=\n", "\n"),
        lambda note: note.replace("=\n", " =\n"),
        lambda note: BODY + "\n" + "— a.example AAAA\n",
        lambda note: note.rpartition("\n\n")[0] + "\n\n\n",
        lambda note: b"\xff" + note.encode(),
        lambda note: note.replace("node", "\ud800"),
        lambda note: note + NOTE.rpartition("\n\n")[2] * MAX_SIGNATURES,
        lambda note: "x" * 1_000_001 + note,
    ],
)
def test_a_malformed_note_is_refused(spoil: Any) -> None:
    with pytest.raises(NoteError):
        opened(spoil(NOTE), [KEY.verifier, KEY.verifier.cosigner])


def test_a_text_may_hold_blank_lines_since_the_last_one_separates() -> None:
    body = "a\n\nb\n\n"
    assert opened(signed(body, [KEY.sign(body)]), [KEY.verifier]).body == body


def test_a_key_is_read_back_from_its_text_and_base64_may_contain_plus() -> None:
    found = set()
    for number in range(40):
        key = SigningKey.from_seed("n/collector", bytes([number]) * 32).verifier
        for one in (key, key.cosigner):
            assert VerifierKey.parse(str(one)) == one
            found.add(str(one).count("+") > 2)
    assert found == {True, False}


def test_no_part_of_a_verifier_key_can_be_left_out_or_changed() -> None:
    text = str(KEY.verifier)
    for first in range(len(text)):
        for end in range(first + 1, len(text) + 1):
            if (first, end) != (0, len(text)):
                with pytest.raises(NoteError):
                    VerifierKey.parse(text[first:end])
    for at in range(len(text)):
        with pytest.raises(NoteError):
            VerifierKey.parse(text[:at] + chr(ord(text[at]) + 1) + text[at + 1 :])


def test_keys_of_other_algorithms_are_refused() -> None:
    for material in (b"\x02" + bytes(32), b"\x06" + bytes(1312), b"\x01" + bytes(31), b""):
        key_id = second_ledger.sha256(b"a\n", material)[:4].hex()
        with pytest.raises(NoteError):
            VerifierKey.parse(f"a+{key_id}+{base64.b64encode(material).decode()}")


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\tb", "a\u00a0b", "a\nb", "a\x1fb"])
def test_a_key_name_has_no_spaces_and_no_plus(name: str) -> None:
    with pytest.raises(NoteError, match="names are not empty"):
        SigningKey.from_seed(name, bytes(32))


def test_what_no_note_can_hold_is_not_signed() -> None:
    for body in ("no line end", "carriage\r\n", "", "half of a pair \ud800\n"):
        with pytest.raises(NoteError):
            KEY.sign(body)
    with pytest.raises(NoteError):
        signed(BODY, ["— a.example AAAA\n— b.example AAAAAAAA"])
    for time_s in (-1, 2**63):
        with pytest.raises(NoteError):
            KEY.cosign(BODY, time_s)
    with pytest.raises(NoteError, match="32 bytes"):
        SigningKey.from_seed("a", bytes(31))


def test_a_signing_key_does_not_show_its_secret() -> None:
    seed = bytes(range(32))
    shown = repr(KEY) + str(KEY)
    assert not [secret for secret in (seed.hex(), base64.b64encode(seed).decode(), str(seed), "Private") if secret in shown]
    with pytest.raises(NoteError) as refused:
        VerifierKey.parse(base64.b64encode(seed).decode())
    assert base64.b64encode(seed).decode() not in str(refused.value)
