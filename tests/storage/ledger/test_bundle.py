"""Evidence bundles: verified with nothing but Python, and refused after any change, also one that its own digests were put right for."""

import io
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.ledger import verify_bundle
from storage.ledger.note import SigningKey, signed, split
from storage.ledger.verify_bundle import Refused
from tests.storage.ledger import evidence_files
from tests.storage.ledger.evidence_files import RUN, Files, Made, with_sums

LOG = "ledger/node~collector/"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return evidence_files.made(tmp_path_factory.mktemp("evidence"))


def python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Python alone: no site packages, no environment."""
    return subprocess.run([sys.executable, "-I", "-S", *words], cwd=folder, capture_output=True, text=True, check=False)


def test_an_unpacked_bundle_verifies_in_an_empty_folder_with_python_alone(made: Made, tmp_path: Path) -> None:
    with zipfile.ZipFile(made.path) as archive:
        archive.extractall(tmp_path)
    found = python(tmp_path / "evidence", "verify.py")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.splitlines()[0] == f"run {RUN}: 4 rows in 2 log entries"
    assert "VALID: every row is as it was committed, by the keys in this bundle" in found.stdout
    assert "compare them with keys that you have from elsewhere" in found.stdout
    trusted = python(tmp_path, "evidence/verify.py", str(made.path), "--key", "evidence/keys.txt")
    assert (trusted.returncode, trusted.stdout.splitlines()[-1]) == (0, "VALID: every row is as it was committed, by your keys")
    rows = tmp_path / "evidence" / "rows" / "spans.jsonl"
    rows.write_bytes(rows.read_bytes().replace(b"look up", b"look_up"))
    refused = python(tmp_path / "evidence", "verify.py")
    assert (refused.returncode, refused.stdout) == (1, "REFUSED: rows/spans.jsonl is not the file that was exported\n")
    assert python(tmp_path, "evidence/verify.py", "nothing.zip").returncode == 2


def test_it_holds_the_records_of_the_run_and_no_others(made: Made) -> None:
    rows = [orjson.loads(line) for line in made.files["rows/spans.jsonl"].splitlines()]
    assert [row["name"] for row in rows] == ["root", "look up", "answer"]
    assert rows[1]["attributes"] == {"k": "ü", "n": "3", "f": "0.1"}
    assert [orjson.loads(line)["trace_id"] for line in made.files["rows/events.jsonl"].splitlines()] == [RUN]
    stored = pq.read_table(io.BytesIO(made.files["rows/spans.parquet"]))
    assert stored["name"].to_pylist() == ["root", "look up", "answer"]
    manifest = orjson.loads(made.files["manifest.json"])
    assert manifest["rows"] == {"spans": 3, "events": 1}
    assert manifest["exported"] == {"at": "2026-11-21T12:00:00Z", "by": "ada", "reason": "an\ninquiry", "software": "auditlake 1"}
    assert (made.bundle.rows, made.bundle.entries, made.bundle.is_signed) == (4, 2, True)


def test_its_readme_names_every_file_and_the_digest_of_the_verifier(made: Made) -> None:
    readme = made.files["README.md"].decode()
    assert "Reason: `an inquiry`." in readme
    digests = dict(reversed(line.split("  ")) for line in made.files["SHA256SUMS"].decode().splitlines())
    assert digests["verify.py"] in readme
    named = [name.replace(".", r"\.").replace("*", "[^/]+") for name in re.findall(r"`([\w./*-]+)`", readme)]
    unnamed = [name for name in made.files if not any(re.fullmatch(pattern, name) for pattern in [*named, "README.md"])]
    assert unnamed == []
    assert made.files["verify.py"] == Path(verify_bundle.__file__).read_bytes()


@settings(max_examples=100, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_flipped_bit_anywhere_in_the_archive_is_refused(made: Made, place: float, bit: int) -> None:
    archive = bytearray(made.path.read_bytes())
    archive[int(place * len(archive))] ^= 1 << bit
    flipped = made.path.with_name("flipped.zip")
    flipped.write_bytes(archive)
    with pytest.raises(Refused):
        verify_bundle.verify(flipped)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_flipped_bit_in_any_unpacked_file_is_refused(made: Made, data: st.DataObject, place: float, bit: int) -> None:
    name = data.draw(st.sampled_from(sorted(made.files)))
    content = bytearray(made.files[name])
    content[int(place * len(content))] ^= 1 << bit
    with pytest.raises(Refused):
        made.verify({**made.files, name: bytes(content)})


@settings(max_examples=40, deadline=None)
@given(data=st.data(), place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_what_is_malformed_is_refused_and_not_an_error(made: Made, data: st.DataObject, place: float, byte: int) -> None:
    """Digests are put right, so that readers of every part meet it; what still verifies says the same of the same rows."""
    name = data.draw(st.sampled_from(sorted(name for name in made.files if name.startswith(("ledger/", "rows/", "schema", "keys", "man")))))
    content = bytearray(made.files[name])
    content[int(place * len(content))] = byte
    folder = made.path.with_name("malformed")
    for each, text in with_sums({**made.files, name: bytes(content)}, made.signer()).items():
        (folder / each).parent.mkdir(parents=True, exist_ok=True)
        (folder / each).write_bytes(text)
    try:
        said = verify_bundle.verify(folder)
    except Refused:
        return
    assert said[0].endswith(": 4 rows in 2 log entries")


def test_every_bit_of_the_exporters_signature_counts(made: Made) -> None:
    signature = made.files["SHA256SUMS.sig"]
    for place in range(0, len(signature) * 8, 7):
        flipped = bytearray(signature)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(Refused):
            made.verify({**made.files, "SHA256SUMS.sig": bytes(flipped)})


def _replaced(name: str, old: bytes, new: bytes) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        assert old in files[name]
        files[name] = files[name].replace(old, new, 1)

    return change


def _lines(name: str, order: Callable[[list[bytes]], list[bytes]], rows: int) -> Callable[[Files], None]:
    """Other lines in a file of rows; `rows` is what the manifest then counts of spans."""

    def change(files: Files) -> None:
        files[name] = b"".join(order(files[name].splitlines(keepends=True)))
        manifest = orjson.loads(files["manifest.json"])
        manifest["rows"]["spans"] = rows
        files["manifest.json"] = orjson.dumps(manifest)

    return change


def _proofs(change: Callable[[list[dict[str, object]]], object]) -> Callable[[Files], None]:
    def changed(files: Files) -> None:
        proofs = orjson.loads(files["ledger/proofs.json"])
        change(proofs)
        files["ledger/proofs.json"] = orjson.dumps(proofs)

    return changed


def _moved(files: Files) -> None:
    """Another place in the log for a genuine entry."""
    files[LOG + "1.json"], files[LOG + "0.json"] = files[LOG + "0.json"], files[LOG + "1.json"]


def _unlisted(files: Files) -> None:
    files["rows/metrics.jsonl"] = b"{}\n"
    manifest = orjson.loads(files["manifest.json"])
    manifest["rows"]["metrics"] = 1
    files["manifest.json"] = orjson.dumps(manifest)


def _emptied(files: Files) -> None:
    manifest = orjson.loads(files["manifest.json"])
    manifest |= {"rows": {}, "origins": []}
    files |= {"manifest.json": orjson.dumps(manifest), "ledger/proofs.json": b"[]"}


def _swallowed(files: Files) -> None:
    """The first column of a row is hidden behind its salt: the bytes that are hashed are the same."""
    first, *lines = files[SPANS].splitlines(keepends=True)
    row, types = orjson.loads(first), orjson.loads(files["schema.json"])["spans"]
    name = min(name for name in row if name != "salt")
    row["salt"] += f"{name}={verify_bundle.value_form(row.pop(name), types[name])}".encode().hex()
    files[SPANS] = b"".join([orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE), *lines])


SPANS = "rows/spans.jsonl"
FORGERIES: dict[str, tuple[Callable[[Files], None], str]] = {
    "a value": (_replaced(SPANS, b"look up", b"look_up"), "rows of spans are not those"),
    "a number": (_replaced(SPANS, b'"start_ns":1795262400000000000', b'"start_ns":1795262400000000001'), "rows of spans are not those"),
    "a time": (_replaced(SPANS, b"12:00:05.000000Z", b"12:00:05.000001Z"), "rows of spans are not those"),
    "a map's order": (_replaced(SPANS, '"k":"ü","n":"3"'.encode(), '"n":"3","k":"ü"'.encode()), "rows of spans are not those"),
    "a value taken out": (_replaced(SPANS, b'"status_code":0,', b""), "rows of spans are not those"),
    "a column added": (_replaced(SPANS, b'"name":"root"', b'"name":"root","status_message":""'), "rows of spans are not those"),
    "the salt": (_replaced(SPANS, b'"salt":"', b'"salt":"00'), "no salt of 16 bytes"),
    "a column that moved into the salt": (_swallowed, "no salt of 16 bytes"),
    "a row left out": (_lines(SPANS, lambda lines: lines[1:], 2), "does not fit its rows"),
    "a row twice": (_lines(SPANS, lambda lines: [lines[0], *lines], 4), "there twice"),
    "rows exchanged": (_lines(SPANS, lambda lines: [lines[1], lines[0], *lines[2:]], 3), "not in order"),
    "a row of another entry": (_replaced(SPANS, b'"entry":0,"entry_row":0', b'"entry":1,"entry_row":0'), "does not fit its rows"),
    "a row of another origin": (_replaced(SPANS, b'"origin":"node/collector"', b'"origin":"node/collectof"'), "does not fit its rows"),
    "a table without proof": (_unlisted, "."),
    "a root in the entry": (_replaced(LOG + "0.json", b'"root":"', b'"root":"00'), "is not in the log"),
    "rows counted otherwise": (_replaced(LOG + "0.json", b'"rows":4', b'"rows":5'), "is not in the log"),
    "entries exchanged": (_moved, "is not in the log"),
    "the size of the log": (_replaced(LOG + "checkpoint", b"\n2\n", b"\n3\n"), "signature of node/collector"),
    "the root of the log": (_replaced(LOG + "checkpoint", b"\n2\n", b"\n2\nAAAA"), "signature of node/collector"),
    "the name of the log": (_replaced(LOG + "checkpoint", b"node/collector\n2", b"node/collectof\n2"), "signature of node/collector"),
    "the checkpoint in a proof": (_replaced(LOG + "0.tlog-proof", b"\n2\n", b"\n3\n"), "is of something else"),
    "the index in a proof": (_replaced(LOG + "0.tlog-proof", b"index 0", b"index 1"), "is of something else"),
    "positions": (_proofs(lambda proofs: proofs[0]["tables"]["spans"]["positions"].reverse()), "does not fit its rows"),  # type: ignore[index]
    "hashes left out": (_proofs(lambda proofs: proofs[0]["tables"]["spans"]["hashes"].clear()), "lacks hashes"),  # type: ignore[index]
    "hashes too many": (_proofs(lambda proofs: proofs[1]["tables"]["spans"]["hashes"].append("A" * 43 + "=")), "too many"),  # type: ignore[index]
    "a proof left out": (_proofs(lambda proofs: proofs.pop()), "there is no proof"),
    "the types": (_replaced("schema.json", b'"name": "text"', b'"name": "binary"'), "columns and types"),
    "the rows counted": (_replaced("manifest.json", b'"spans": 3', b'"spans": 2'), "counts other rows"),
    "no rows at all": (_emptied, "counts other rows, or none"),
    "no origins": (_replaced("manifest.json", b'"node/collector"', b""), "does not have the form"),
}  # fmt: skip


@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.parametrize("by", ["an outsider", "who has the key"])
def test_a_forgery_is_refused_although_digests_and_signature_fit(made: Made, forgery: str, by: str, tmp_path: Path) -> None:
    """Digests are put right behind each change; also whoever has the key cannot make rows that an old checkpoint covers."""
    change, problem = FORGERIES[forgery]
    files = dict(made.files)
    change(files)
    if by == "an outsider":
        files["manifest.json"] = (
            files["manifest.json"].replace(b'"signed": true', b'"signed": false').replace(b'"signed":true', b'"signed":false')
        )
        files = with_sums(files)
    else:
        files = with_sums(files, made.signer())
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    with pytest.raises(Refused, match=problem):
        verify_bundle.verify(tmp_path)


def test_what_no_log_commits_to_is_bound_by_the_exporters_signature(made: Made) -> None:
    for name in ("run.json", "README.md", "rows/spans.parquet", "verify.py"):
        with pytest.raises(Refused, match=r"SHA256SUMS is not the one that was signed"):
            made.verify(with_sums({**made.files, name: b"something else"}) | {"SHA256SUMS.sig": made.files["SHA256SUMS.sig"]})
    reason = {**made.files, "manifest.json": made.files["manifest.json"].replace(b"inquiry", b"joke")}
    with pytest.raises(Refused, match=r"SHA256SUMS\.sig is missing"):
        made.verify(with_sums(reason))


def test_files_that_are_missing_or_more_are_named(made: Made) -> None:
    with pytest.raises(Refused, match=r"not in SHA256SUMS: notes\.txt"):
        made.verify({**made.files, "notes.txt": b""})
    without = {name: content for name, content in made.files.items() if name != "run.json"}
    with pytest.raises(Refused, match=r"run\.json is missing"):
        made.verify(without)


def test_a_bundle_made_with_another_key_agrees_with_itself_and_is_refused_with_the_right_one(made: Made, tmp_path: Path) -> None:
    forged = evidence_files.made(tmp_path)  # another lake, the same names
    assert forged.verify(forged.files, believe=True)[-1].startswith("VALID")
    with pytest.raises(Refused, match=r"SHA256SUMS\.sig is not one signature of a known key"):
        made.verify(forged.files)


def test_a_cosignature_counts_when_its_key_is_asked_for(made: Made) -> None:
    witness = SigningKey.from_seed("witness.example", b"\x07" * 32)
    key = verify_bundle.Key(str(witness.verifier.cosigner))
    with pytest.raises(Refused, match=r"witness\.example did not cosign the checkpoint of node/collector"):
        verify_bundle.Bundle(made.files, [], [key]).verify()
    note = made.files[LOG + "checkpoint"].decode()
    body, lines = split(note)
    cosigned = signed(body, [*lines, witness.cosign(body, 1_795_262_400)])
    files = {name: content.replace(note.encode(), cosigned.encode()) for name, content in made.files.items()}
    said = verify_bundle.Bundle(with_sums(files, made.signer()), [], [key]).verify()
    assert "signed by witness.example at 2026-11-21T12:00:00Z" in said[1]
