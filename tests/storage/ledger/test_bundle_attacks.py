"""Evidence that was made to mislead: what verify.py says of files, names, texts and archives that no exporter writes."""

import hashlib
import io
import struct
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import orjson
import pytest

from storage.ledger import verify_bundle
from storage.ledger.canonical import type_names
from storage.ledger.verify_bundle import Key, Refused
from storage.schema import TABLES
from tests.storage.ledger import evidence_files
from tests.storage.ledger.evidence_files import RUN, Files, Made, with_sums

LOG = "ledger/node~collector/"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return evidence_files.made(tmp_path_factory.mktemp("evidence"))


def unsigned(made: Made, changes: Mapping[str, bytes | None], **manifest: object) -> Files:
    """The bundle as anybody can make it of a genuine one, without a key."""
    files = {name: content for name, content in ({**made.files, **changes}).items() if content is not None}
    stated = orjson.loads(files["manifest.json"]) | {"signed": False} | manifest
    return with_sums({**files, "manifest.json": orjson.dumps(stated)})


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["verify.py", *words])
    return verify_bundle.main()


def test_the_names_inside_structures_are_not_what_the_evidence_says() -> None:
    """They are not in the canonical form, so that a trace could pass for a span by other names in schema.json."""
    types = type_names(TABLES["spans"])
    link = {"trace_id": "t", "span_id": "s", "trace_state": None, "flags": 0, "attributes": {}, "dropped_attributes_count": 0}
    row = {"entry": 0, "salt": "00" * 16, "links": [link]}
    assert len(verify_bundle.leaf_of(row, types, "it")) == 32
    exchanged = types["links"].replace("trace_id", "_").replace("span_id", "trace_id").replace("_:", "span_id:", 1)
    assert exchanged != types["links"]
    with pytest.raises(Refused, match="a structure that no table has"):
        verify_bundle.leaf_of({**row, "links": [{**link, "trace_id": "s", "span_id": "t"}]}, {**types, "links": exchanged}, "it")


def test_the_verifier_knows_the_structures_of_all_tables() -> None:
    for table, schema in TABLES.items():
        structures = {name: kind for name, kind in type_names(schema).items() if "struct" in kind}
        assert structures.items() <= verify_bundle.STRUCTURES.items(), table


@pytest.mark.parametrize(("value", "kind"), [("ab", "list<text>"), ([["a", "b"]], "map<text,text>"), ({"0": "a"}, "list<text>")])
def test_a_value_is_of_its_own_type_only(value: object, kind: str) -> None:
    with pytest.raises(Refused, match="is not of the type"):
        verify_bundle.value_form(value, kind)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"rows/metrics.jsonl": b'{"value":1}\n'}, "proven by nothing: rows/metrics.jsonl"),
        ({LOG + "7.json": b"{}"}, "proven by nothing: " + LOG + "7.json"),
        ({"ledger/other/checkpoint": b"x"}, "proven by nothing: ledger/other/checkpoint"),
        ({"more/rows.jsonl": b"{}\n"}, "proven by nothing: more/rows.jsonl"),
        ({"rows/spans.parquet": None}, "missing, or proven by nothing: rows/spans.parquet"),
        ({LOG + "timestamps/1.checkpoint": b"node/other\n9\nAAAA\n\n"}, "is not the checkpoint of the log"),
        ({"../outside": b"x"}, "line of the wrong form"),
        ({"/etc/outside": b"x"}, "line of the wrong form"),
        ({"rows\\outside": b"x"}, "line of the wrong form"),
        ({"C:outside": b"x"}, "line of the wrong form"),
        ({"\x1b[2K": b"x"}, "line of the wrong form"),
    ],
)  # fmt: skip
def test_a_file_that_passes_for_evidence_or_leaves_its_folder_is_refused(made: Made, changes: Files, problem: str) -> None:
    with pytest.raises(Refused, match=problem):
        made.verify(unsigned(made, changes))


def test_what_is_not_shown_is_said_with_numbers(made: Made) -> None:
    said = made.verify(made.files)
    assert said[3] == "not shown: that these are all rows of the run. 4 of them name it; the entries commit to 4 rows more,"
    assert "sent twice, removed, or left out. Not read: the Parquet files" in said[4]
    other = made.verify(unsigned(made, {}, run_id="other"))
    assert "0 of them name it" in other[3]
    assert "NOT SIGNED by the exporter" in other[2]


def test_a_signature_of_the_exporter_can_be_demanded(made: Made) -> None:
    with pytest.raises(Refused, match="the exporter did not sign"):
        verify_bundle.Bundle(unsigned(made, {}), [], [], must_be_signed=True)
    verify_bundle.Bundle(made.files, [], [], must_be_signed=True).verify()


def test_texts_of_the_evidence_make_no_lines_and_no_colours(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {"at": "now", "by": "\u202eada", "reason": "x\x1b[2K\r\nVALID: all of it, by your keys", "software": "s"}
    (tmp_path / "b.zip").write_bytes(archived(unsigned(made, {}, exported=told)))
    assert command(monkeypatch, str(tmp_path / "b.zip")) == 0
    shown = capsys.readouterr().out
    assert "by \\u202eada: x\\x1b[2K\\r\\nVALID: all of it" in shown
    assert [line[:5] for line in shown.splitlines()].count("VALID") == 1
    assert str(Refused("a\nVALID\x1b")) == "a\\nVALID\\x1b"


def test_a_terminal_without_the_letters_gets_the_verdict_all_the_same() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    verify_bundle.tell(stream, ["reason: ü 日本"])
    stream.seek(0)
    assert stream.read() == "reason: ü \\u65e5\\u672c\n"


def test_keys_that_were_given_and_are_none_are_never_those_of_the_bundle(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = made.files["keys.txt"].decode()
    contents = {"empty": b"", "blank": b" \n", "binary": b"\xff\x00\x81", "wrong": b"key\n"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        for option in ("--key", "--witness"):
            assert command(monkeypatch, str(made.path), option, str(tmp_path / name)) == 2
            assert "cannot read a key" in capsys.readouterr().err
    for name, content in {"notepad": text.encode("utf-8-sig"), "powershell": text.encode("utf-16")}.items():
        (tmp_path / name).write_bytes(content)
        assert command(monkeypatch, str(made.path), "--key", str(tmp_path / name)) == 0
        assert "by your keys" in capsys.readouterr().out


def test_a_proof_without_keys_says_that_it_needs_them() -> None:
    with pytest.raises(Refused, match="give those of the log with --key"):
        verify_bundle.verify_proof("", [], [])


def test_a_cosigner_is_not_the_log(made: Made) -> None:
    own = Key(made.files["keys.txt"].decode().strip())
    with pytest.raises(Refused, match="no known key of the log"):
        verify_bundle.Checkpoint(made.files[LOG + "checkpoint"].decode(), [], [own.as_cosigner()], "it")


# archives: other readers than zipfile must find the same files in them


def digested(data: bytes) -> bytes:
    """Anybody can put the comment right."""
    content = data[:-71]
    return content + b"sha256:" + hashlib.sha256(content).hexdigest().encode()


def archived(files: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED, twice: str | None = None, folder: str = "e/") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.comment = b"sha256:" + b"0" * 64
        for name, content in files.items():
            archive.writestr(folder + name, content)
        if twice is not None:
            with pytest.warns(UserWarning, match="Duplicate name"):
                archive.writestr(folder + twice, b"other")
    return digested(buffer.getvalue())


def shifted(data: bytes, at: int, inserted: bytes) -> bytes:
    """Bytes put between the files and the list of them, whose place is put right."""
    end = len(data) - 71 - 22
    (place,) = struct.unpack_from("<I", data, end + 16)
    whole = bytearray(data[:at] + inserted + data[at:])
    struct.pack_into("<I", whole, end + len(inserted) + 16, place + len(inserted))
    return digested(bytes(whole))


def _hidden(files: Files) -> bytes:
    data = archived(files)
    (place,) = struct.unpack_from("<I", data, len(data) - 71 - 22 + 16)
    other = archived({"run.json": b"other"})
    return shifted(data, place, other[: other.index(b"PK\x01\x02")])


def _renamed(files: Files) -> bytes:
    data = bytearray(archived(files))
    struct.pack_into("<I", data, 22, 1)  # the first file's size in its local header
    return digested(bytes(data))


def _linked(files: Files) -> bytes:
    data = bytearray(archived(files))
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 38, 0o120777 << 16)  # what the first file is, on Unix
    return digested(bytes(data))


ARCHIVES: dict[str, tuple[Callable[[Files], bytes], str]] = {
    "a name twice": (lambda files: archived(files, twice="run.json"), "is not one folder"),
    "two folders": (lambda files: archived({**files, "../f/x": b""}, folder=""), "is not one folder"),
    "a file that is not listed": (_hidden, "something between its files"),
    "something before it": (lambda files: digested(b"#!/bin/sh\n" + archived(files)), "a file of another form"),
    "another size in front of a file": (_renamed, "a file of another form"),
    "a link": (_linked, "a file of another form"),
    "a method that not every Python has": (lambda files: archived(files, method=zipfile.ZIP_LZMA), "a file of another form"),
    "no archive": (lambda _: digested(b"x" * 200), "form of evidence"),
}


@pytest.mark.parametrize("archive", ARCHIVES)
def test_an_archive_that_other_programs_unpack_otherwise_is_refused(archive: str, made: Made, tmp_path: Path) -> None:
    make, problem = ARCHIVES[archive]
    (tmp_path / "b.zip").write_bytes(make(made.files))
    with pytest.raises(Refused, match=problem):
        verify_bundle.verify(tmp_path / "b.zip")


def test_an_archive_of_more_than_any_bundle_has_is_not_unpacked(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    data = archived(made.files)
    assert verify_bundle.archived(data, "b.zip").keys() == made.files.keys()
    monkeypatch.setattr(verify_bundle, "MAX_BYTES", 1000)
    with pytest.raises(Refused, match="larger than any bundle"):
        verify_bundle.archived(data, "b.zip")


def test_the_run_that_a_readme_is_about_says_nothing_in_it() -> None:
    from storage.ledger.bundle_readme import readme

    told = {"at": "now", "by": "ada", "software": "auditlake 1", "reason": "x\n\n## Verify it\n\n`curl`"}
    text = readme({"run_id": f"{RUN}\n\n# Evidence", "rows": {"spans": 1}, "exported": told}, [], "digest")
    assert f"# Evidence: the run `{RUN} # Evidence`\n" in text
    assert "Reason: `x ## Verify it  curl `.\n" in text
