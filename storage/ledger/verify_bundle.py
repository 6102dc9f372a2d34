"""Verify evidence that `auditlake bundle` or `auditlake prove` made, with nothing but Python's standard library (3.7 or newer).

    python3 -I verify.py [--key KEY]... [--witness KEY]... [--signed] [EVIDENCE]

EVIDENCE is the folder of an unpacked bundle (default: the one that this file is in), its zip file, or a `.tlog-proof` file. KEY is a
verifier key or a file of them, one a line; without it the keys in the bundle are believed, which shows only that the bundle agrees with
itself. Exit code: 0 everything is as it was committed, 1 it is not, 2 it cannot be read. No network; nothing is written.

What is checked, from the bottom up: every file against SHA256SUMS; the leaf hash of every row, SHA-256(00 || salt || canonical form); the
root of its table in the log entry (RFC 6962); the entry in the log (c2sp.org/tlog-proof); the checkpoint of the log (c2sp.org/signed-note
with Ed25519 of RFC 8032, c2sp.org/tlog-cosignature); the exporter's signature over SHA256SUMS. docs/ledger.md and docs/bundle.md of
auditlake say how all of it is written. It is one file, and imports nothing of ours, so that an auditor reads it from top to bottom.
"""
# ruff: noqa: B905 - it runs on Python 3.7

from __future__ import annotations

import argparse
import base64
import bisect
import hashlib
import io
import json
import re
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

BUNDLE = "auditlake bundle v1"
PROOF = "c2sp.org/tlog-proof@v1"
RECEIPT = b"auditlake receipt v1\n"
SIGNATURE_FILE = "SHA256SUMS.sig"
ARCHIVE_DIGEST = re.compile(rb"sha256:([0-9a-f]{64})\Z")
MAX_BYTES = 1 << 31  # of the files in a zip: the writer makes none that has more
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - times are naive UTC


def printable(text: str) -> str:
    """Evidence has texts of anybody: nothing in one of them makes a line of its own, or tells the terminal what to do."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


class Refused(Exception):
    """What was checked is not what was committed; says what and where."""

    def __init__(self, problem: str) -> None:
        super().__init__(printable(problem))


def need(condition: object, problem: str) -> None:
    """Refuse with `problem` unless `condition`."""
    if not condition:
        raise Refused(problem)


# Ed25519, RFC 8032 section 5.1; points are extended homogeneous coordinates (section 5.1.4)

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


def point_add(p: Sequence[int], q: Sequence[int]) -> Sequence[int]:
    """Section 5.1.4."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def point_times(scalar: int, point: Sequence[int]) -> Sequence[int]:
    """The point added to itself so often."""
    result: Sequence[int] = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = point_add(result, point)
        point, scalar = point_add(point, point), scalar >> 1
    return result


def point_of(data: bytes) -> Sequence[int] | None:
    """Decode a point (section 5.1.3); None when the bytes are none."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def ed25519_verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` is of `message` by the key `public` (section 5.1.7)."""
    if len(public) != 32 or len(signature) != 64:
        return False
    base, a, r = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little")), point_of(public), point_of(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if base is None or a is None or r is None or s >= ORDER:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    p, q = point_times(s, base), point_add(r, point_times(k, a))
    return (p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0


# signed notes


def unbase64(text: str, what: str) -> bytes:
    """Decode standard base64 that is written in its one canonical way."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Refused(f"{what} is not base64") from None
    need(base64.b64encode(data).decode() == text, f"{what} is not canonical base64")
    return data


class Key:
    """A verifier key: `name+id+base64(algorithm || public key)`. Algorithm 01 signs notes, 04 cosigns checkpoints with a time."""

    def __init__(self, text: str) -> None:
        parts = text.split("+", 2)
        need(len(parts) == 3, "a verifier key has the wrong form")
        self.text, self.name = text, parts[0]
        data = unbase64(parts[2], "a verifier key")
        self.algorithm, self.public = data[:1], data[1:]
        self.id = hashlib.sha256(self.name.encode() + b"\n" + data).digest()[:4]
        need(len(data) == 33 and self.algorithm in {b"\x01", b"\x04"}, "a verifier key is not of Ed25519")
        need(self.id.hex() == parts[1], "the id of a verifier key is not that of its public key")

    def as_cosigner(self) -> Key:
        """The same key with algorithm 04."""
        data = b"\x04" + self.public
        key_id = hashlib.sha256(self.name.encode() + b"\n" + data).digest()[:4]
        return Key(f"{self.name}+{key_id.hex()}+{base64.b64encode(data).decode()}")


def opened(note: str, keys: Iterable[Key], what: str) -> tuple[str, dict[str, int]]:
    """Return the body of a signed note and which keys signed it, {text: seconds of a cosignature, else 0}.

    Lines of keys that are not given are ignored; a wrong signature of a given key refuses the note.
    """
    head, gap, tail = note.rpartition("\n\n")
    need(gap and tail.endswith("\n"), f"{what} is not a signed note")
    body = head + "\n"
    signers: dict[str, int] = {}
    known = {(key.name, key.id): key for given in keys for key in (given, given.as_cosigner())}
    for line in tail[:-1].split("\n"):
        match = re.fullmatch("\u2014 ([^ +]+) ([A-Za-z0-9+/=]+)", line)
        if match is None:
            raise Refused(f"{what} has a signature line of the wrong form")
        data = unbase64(match.group(2), f"a signature of {what}")
        key = known.get((match.group(1), data[:4]))
        if key is None:
            continue
        message, seconds = body.encode(), 0
        if key.algorithm == b"\x04":
            seconds, data = int.from_bytes(data[4:12], "big"), data[8:]
            message = b"cosignature/v1\ntime %d\n" % seconds + message
        need(ed25519_verifies(key.public, message, data[4:]), f"the signature of {key.name} on {what} is wrong")
        signers[key.text] = max(seconds, signers.get(key.text, 0))
    return body, signers


class Checkpoint:
    """What a log states about itself, signed with its own key, and cosigned with every one of `cosigners`."""

    def __init__(self, note: str, keys: Sequence[Key], cosigners: Sequence[Key], what: str) -> None:
        self.body, signers = opened(note, [*keys, *cosigners], what)
        match = re.fullmatch(r"([^\n]+)\n(0|[1-9][0-9]*)\n([^\n]+)\n(?:[^\n]+\n)*", self.body)
        if match is None:
            raise Refused(f"{what} is not a checkpoint")
        self.origin, self.size, self.root = match.group(1), int(match.group(2)), unbase64(match.group(3), f"the root of {what}")
        own = {key.text for key in keys if key.name == self.origin and key.algorithm == b"\x01"}
        need(own & set(signers), f"no known key of the log signed {what}")
        for cosigner in cosigners:
            need(cosigner.as_cosigner().text in signers, f"{cosigner.name} did not cosign the checkpoint of {self.origin}")
        times = sorted((seconds, Key(text).name) for text, seconds in signers.items() if seconds)
        signed = [f", signed by {name} at {(EPOCH + timedelta(seconds=seconds)).isoformat()}Z" for seconds, name in times]
        self.told = f"{self.origin}: a log of {self.size} entries{''.join(signed)}"


# Merkle trees, RFC 6962 section 2.1


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def split_of(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def root_of_path(leaf: bytes, index: int, size: int, path: Sequence[bytes], what: str) -> bytes:
    """Return the root that the inclusion proof of one leaf leads to."""
    need(0 <= index < size, f"{what} is not in its tree")
    sides, low, high = [], 0, size
    while high - low > 1:
        middle = low + split_of(high - low)
        sides.append(index >= middle)
        low, high = (middle, high) if index >= middle else (low, middle)
    need(len(sides) == len(path), f"the proof of {what} has the wrong length")
    for sibling, is_right in zip(path, reversed(sides)):
        leaf = node_hash(sibling, leaf) if is_right else node_hash(leaf, sibling)
    return leaf


def root_of_some(leaves: Mapping[int, bytes], size: int, hashes: Sequence[bytes], what: str) -> bytes:
    """Return the root of a tree of `size` leaves of which `leaves`, {index: hash}, are known.

    `hashes` are those of the largest subtrees without a known leaf, from left to right.
    """
    known, rest = sorted(leaves), list(reversed(hashes))

    def root(low: int, high: int, first: int, last: int) -> bytes:
        if first == last:
            need(rest, f"the proof of {what} lacks hashes")
            return rest.pop()
        if high - low == 1:
            return leaves[low]
        middle = low + split_of(high - low)
        cut = bisect.bisect_left(known, middle, first, last)
        left = root(low, middle, first, cut)
        return node_hash(left, root(middle, high, cut, last))

    need(known and known[0] >= 0 and known[-1] < size, f"{what} has rows that are not in its tree")
    found = root(0, size, 0, len(known))
    need(not rest, f"the proof of {what} has hashes too many")
    return found


# the canonical form of a row

STRUCTURES = {
    "events": "list<struct<time_ns:int,name:text,attributes:map<text,text>,dropped_attributes_count:int>>",
    "exemplars": "list<struct<time_ns:int,value:double,value_int:int,trace_id:text,span_id:text,filtered_attributes:map<text,text>>>",
    "links": "list<struct<trace_id:text,span_id:text,trace_state:text,flags:int,attributes:map<text,text>,dropped_attributes_count:int>>",
    "quantiles": "list<struct<quantile:double,value:double>>",
    "redaction_receipts": "list<struct<entity:text,rule:text,key:text,count:int>>",
}
"""The form has the names of columns, but not those inside structures: they are these, whatever the evidence says of types."""


def split_types(text: str) -> list[str]:
    """Split the inside of `map<...>` or `struct<...>` at its own commas."""
    parts, depth = [""], 0
    for sign in text:
        depth += (sign == "<") - (sign == ">")
        if sign == "," and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def scalar_form(value: Any, kind: str) -> str:
    """A value that is no map, list or structure: its type's letter, and the value."""
    if kind == "text":
        return f"t{len(value.encode())}:{value}"
    if kind == "int" and type(value) is int:
        return f"i{value};"
    if kind == "double" and (type(value) is float or value in {"nan", "inf", "-inf"}):  # JSON has these as texts
        return f"d{float(value)!r};"  # the shortest decimal that reads back as the same double
    if kind == "bool" and type(value) is bool:
        return f"b{value:d};"
    if kind == "time":
        moment = datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ")  # noqa: DTZ007 - naive UTC
        return f"u{(moment - EPOCH) // timedelta(microseconds=1)};"
    need(kind == "binary", f"a value is not of the type {kind}")
    return f"x{len(bytes.fromhex(value))}:{bytes.fromhex(value).hex()}"


def value_form(value: Any, kind: str) -> str:
    """Return the canonical form of one value of JSON that is of the type `kind`."""
    if value is None:
        return "n;"
    outer, _, inner = kind.partition("<")
    if outer not in {"list", "map", "struct"}:
        return scalar_form(value, kind)
    need(type(value) is (list if outer == "list" else dict), f"a value is not of the type {kind}")
    types = split_types(inner[:-1])
    if outer == "list":
        parts = [value_form(each, inner[:-1]) for each in value]
    elif outer == "map":
        parts = [value_form(key, types[0]) + value_form(each, types[1]) for key, each in value.items()]
    else:
        fields = dict(field.split(":", 1) for field in types)
        need(value.keys() == fields.keys(), "a structure has other fields than its type")
        parts = [value_form(value[name], fields[name]) for name in fields]
    return f"{outer[0]}{len(parts)};" + "".join(parts)


def leaf_of(row: Mapping[str, Any], types: Mapping[str, str], what: str) -> bytes:
    """Return the leaf hash of a row: SHA-256(00 || salt || canonical form)."""
    try:
        names = sorted((name for name, value in row.items() if value is not None and name != "salt"), key=str.encode)
        need(all(re.fullmatch("[A-Za-z0-9_]+", name) for name in names), f"the row {what} has a column that no table has")
        known = all("struct" not in types[name] or types[name] == STRUCTURES.get(name) for name in names)
        need(known, f"the row {what} has a structure that no table has")
        need(re.fullmatch("[0-9a-f]{32}", row["salt"]), f"the row {what} has no salt of 16 bytes")  # or it could hold the first columns
        form = "".join(f"{name}={value_form(row[name], types[name])}" for name in names)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Refused(f"the row {what} does not have the columns and types of its table") from None
    return hashlib.sha256(b"\x00" + bytes.fromhex(row["salt"]) + form.encode()).digest()


# what evidence consists of


def parsed(text: str | bytes, what: str) -> Any:
    """Return the value of a JSON text in which no name is twice."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        need(len(dict(pairs)) == len(pairs), f"{what} has a name twice")
        return dict(pairs)

    def unknown(constant: str) -> None:
        raise Refused(f"{what} holds {constant}")

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=unknown)
    except ValueError:
        raise Refused(f"{what} is not JSON") from None


class Proof:
    """The parts of a proof (c2sp.org/tlog-proof): extra data, index of the entry, hashes, and the checkpoint as a note."""

    def __init__(self, text: str, what: str) -> None:
        head, gap, self.note = text.partition("\n\n")
        lines = head.split("\n")
        need(gap and lines.pop(0) == PROOF, f"{what} is not a proof of {PROOF}")
        self.extra = unbase64(lines.pop(0)[6:], what) if lines and lines[0].startswith("extra ") else b""
        index = re.fullmatch("index (0|[1-9][0-9]*)", lines.pop(0) if lines else "")
        if index is None:
            raise Refused(f"{what} names no index")
        self.index, self.hashes = int(index.group(1)), [unbase64(line, what) for line in lines]

    def entry(self, body: bytes, checkpoint: Checkpoint, what: str) -> dict[str, Any]:
        """Return the segment that a log entry describes, once it is shown to be in the log of the checkpoint."""
        found = root_of_path(hashlib.sha256(b"\x00" + body).digest(), self.index, checkpoint.size, self.hashes, what)
        need(found == checkpoint.root, f"{what} is not in the log that the checkpoint is of")
        entry = parsed(body, what)
        need(entry["kind"] == "segment", f"{what} is not of a segment")
        return dict(entry)


def name_of(row: Mapping[str, Any]) -> str:
    """The record id."""
    return "/".join(str(row.get(part)) for part in ("origin", "entry", "entry_row"))


def check_place(row: Mapping[str, Any], origin: str, entry: Mapping[str, Any]) -> None:
    """A row says itself which entry it belongs to."""
    need(row.get("origin") == origin and row.get("entry") == entry["entry"], f"the row {name_of(row)} is of another entry")


def folder_of(origin: str) -> str:
    """Where a bundle has what it says of a log."""
    return "ledger/" + origin.replace("/", "~") + "/"


class Bundle:
    """The files of a bundle by name: those of SHA256SUMS, and no others."""

    def __init__(self, files: Mapping[str, bytes], keys: Sequence[Key], cosigners: Sequence[Key], *, must_be_signed: bool = False) -> None:
        self.files, self.cosigners = files, cosigners
        self.check_sums()
        self.manifest = self.json("manifest.json")
        need(self.manifest["format"] == BUNDLE, f"manifest.json is not of {BUNDLE}")
        need(self.manifest["signed"] or not must_be_signed, "the exporter did not sign the bundle")
        self.keys = keys or [Key(line) for line in self.text("keys.txt").split()]
        self.believed = "your keys" if keys else "the keys in this bundle"

    def verify(self) -> list[str]:
        """Check everything; return what to tell. Raises `Refused`."""
        signed = self.check_signature()
        checkpoints = {origin: self.checkpoint(origin) for origin in self.manifest["origins"]}
        rows, naming, groups = self.rows()
        proofs = self.json("ledger/proofs.json")
        committed = sum(self.check_entry(proof, checkpoints[proof["origin"]], groups) for proof in proofs)
        need(not groups, f"there is no proof of the rows of {', '.join('/'.join(map(str, key[:2])) for key in groups)}")
        stamps = self.check_names(proofs, checkpoints)
        told, run = self.manifest["exported"], self.manifest["run_id"]
        return [
            f"run {run}: {rows} rows in {len(proofs)} log entries",
            *(checkpoint.told for checkpoint in checkpoints.values()),
            f"exported {told['at']} by {told['by']}: {told['reason'] or 'no reason given'} ({signed})",
            f"not shown: that these are all rows of the run. {naming} of them name it; the entries commit to {committed - rows} rows more,",
            f"  of which each is of another run, sent twice, removed, or left out. Not read: the Parquet files{stamps}",
            f"VALID: every row is as it was committed, by {self.believed}",
        ]

    def text(self, name: str) -> str:
        """The text of a file."""
        need(name in self.files, f"{name} is missing")
        try:
            return self.files[name].decode()
        except UnicodeDecodeError:
            raise Refused(f"{name} is not UTF-8") from None

    def json(self, name: str) -> Any:
        """The value of a JSON file."""
        return parsed(self.text(name), name)

    def check_sums(self) -> None:
        """Every file is what SHA256SUMS says, under a name that stays in its folder wherever it is unpacked."""
        listed: dict[str, str] = {}
        for line in self.text("SHA256SUMS").splitlines(keepends=True):
            match = re.fullmatch(r"([0-9a-f]{64})  ((?:[\w-][\w.~-]*/)*[\w-][\w.~-]*)\n", line, re.ASCII)
            if match is None or match.group(2) in listed:
                raise Refused("SHA256SUMS has a line of the wrong form")
            listed[match.group(2)] = match.group(1)
        for name, digest in listed.items():
            need(name in self.files, f"{name} is missing")
            need(hashlib.sha256(self.files[name]).hexdigest() == digest, f"{name} is not the file that was exported")
        extra = sorted(set(self.files) - set(listed) - {"SHA256SUMS", SIGNATURE_FILE})
        need(not extra, f"not in SHA256SUMS: {', '.join(extra)} (files of your own must be elsewhere)")

    def check_signature(self) -> str:
        """The exporter signed SHA256SUMS, and so everything in the bundle, or says that it could not."""
        if not self.manifest["signed"]:
            need(SIGNATURE_FILE not in self.files, f"manifest.json knows of no {SIGNATURE_FILE}")
            return "NOT SIGNED by the exporter: anybody can have written this line, run.json, the policy, and left rows out"
        note = self.text(SIGNATURE_FILE)
        body, signers = opened(note, self.keys, SIGNATURE_FILE)
        need(len(signers) == 1 and note.count("\n") == 4, f"{SIGNATURE_FILE} is not one signature of a known key")
        need(body == f"{BUNDLE}\n{hashlib.sha256(self.files['SHA256SUMS']).hexdigest()}\n", "SHA256SUMS is not the one that was signed")
        return f"signed by {Key(next(iter(signers))).name}"

    def checkpoint(self, origin: str) -> Checkpoint:
        """The checkpoint of a log."""
        found = Checkpoint(self.text(folder_of(origin) + "checkpoint"), self.keys, self.cosigners, f"the checkpoint of {origin}")
        need(found.origin == origin, f"the checkpoint of {origin} is of another log")
        return found

    def rows(self) -> tuple[int, int, dict[tuple[str, int, str], list[tuple[dict[str, Any], bytes]]]]:
        """How many rows there are, how many of them name the run, and they and their leaf hashes by origin, entry and table."""
        schema, counts, naming = self.json("schema.json"), {}, 0
        groups: dict[tuple[str, int, str], list[tuple[dict[str, Any], bytes]]] = {}
        for table in self.manifest["rows"]:
            lines = self.text(f"rows/{table}.jsonl").split("\n")
            need(lines.pop() == "", f"rows/{table}.jsonl is cut off")
            counts[table] = len(lines)
            for number, line in enumerate(lines, 1):
                row = parsed(line, f"line {number} of rows/{table}.jsonl")
                leaf = leaf_of(row, schema[table], name_of(row))
                groups.setdefault((row["origin"], row["entry"], table), []).append((row, leaf))
                naming += self.manifest["run_id"] in {row.get("run_id"), row.get("trace_id")}
        need(counts == self.manifest["rows"] and sum(counts.values()), "manifest.json counts other rows, or none")
        return sum(counts.values()), naming, groups

    def check_entry(self, proof: Mapping[str, Any], checkpoint: Checkpoint, groups: dict[Any, Any]) -> int:
        """The rows of one log entry, which are taken out of `groups`, are those that it committed to; returns to how many it did."""
        origin, index = proof["origin"], proof["index"]
        what, place = f"log entry {index} of {origin}", f"{folder_of(origin)}{index}"
        inclusion = Proof(self.text(f"{place}.tlog-proof"), f"{place}.tlog-proof")
        stated = (inclusion.index, inclusion.note)
        need(stated == (index, self.text(folder_of(origin) + "checkpoint")), f"the proof of {what} is of something else")
        entry = inclusion.entry(self.files[f"{place}.json"], checkpoint, what)
        for table, part in proof["tables"].items():
            rows, positions = groups.pop((origin, entry["entry"], table)), part["positions"]
            order = [row["entry_row"] for row, _ in rows]
            need(order == sorted(set(order)), f"rows of {table} of {what} are not in order, or one is there twice")
            need(positions == sorted(set(positions)) and len(order) == len(positions), f"the proof of {what} does not fit its rows")
            for row, _ in rows:
                check_place(row, origin, entry)
            hashes = [unbase64(each, f"the proof of {what}") for each in part["hashes"]]
            leaves = dict(zip(positions, (leaf for _, leaf in rows)))
            found = root_of_some(leaves, entry["tables"][table]["rows"], hashes, f"{table} of {what}")
            need(found.hex() == entry["tables"][table]["root"], f"rows of {table} are not those that {what} committed to")
        return sum(int(stated["rows"]) for stated in entry["tables"].values())

    def check_names(self, proofs: Sequence[Mapping[str, Any]], checkpoints: Mapping[str, Checkpoint]) -> str:
        """No file passes for a row or a part of a proof that is none; returns what to tell of time-stamps."""
        needed = {f"rows/{table}.{form}" for table in self.manifest["rows"] for form in ("jsonl", "parquet")} | {"ledger/proofs.json"}
        needed |= {folder_of(origin) + "checkpoint" for origin in checkpoints}
        needed |= {f"{folder_of(each['origin'])}{each['index']}.{form}" for each in proofs for form in ("json", "tlog-proof")}
        stamps = {name: origin for origin in checkpoints for name in self.files if name.startswith(folder_of(origin) + "timestamps/")}
        for name, origin in stamps.items():
            same = not name.endswith(".checkpoint") or self.text(name).startswith(checkpoints[origin].body + "\n")
            need(same, f"{name} is not the checkpoint of the log")
        wrong = sorted(needed ^ {name for name in self.files if "/" in name and name not in stamps})
        need(not wrong, f"missing, or proven by nothing: {', '.join(wrong)}")
        return ", the time-stamps (`openssl ts -verify`)" if stamps else ""


def check_receipt(text: str, rows: Sequence[Mapping[str, Any]], keys: Sequence[Key], origin: str) -> str:
    """Hold the receipt of a request against rows of the entry that it names; returns what to tell."""
    padded = text.translate({ord("-"): "+", ord("_"): "/"}) + "=" * (-len(text) % 4)
    receipt = parsed(unbase64(padded, "the receipt"), "the receipt")
    signature = unbase64(receipt.pop("sig"), "the receipt")
    message = RECEIPT + json.dumps(receipt, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    signed = any(key.name == origin and ed25519_verifies(key.public, message, signature) for key in keys)
    need(signed and receipt["origin"] == origin, "no known key of the log signed the receipt")
    place = {(receipt["entry"], receipt["received_ns"])}
    need({(row["entry"], row["received_ns"]) for row in rows} == place, "the rows are not of the request that the receipt is for")
    need(len(rows) <= receipt["records"], "there are more rows than the receipt is for")
    return f"receipt for {receipt['records']} records of the request with SHA-256 {receipt['digest']}: {len(rows)} are here"


def verify_proof(text: str, keys: Sequence[Key], cosigners: Sequence[Key]) -> list[str]:
    """Check a `.tlog-proof` file that has its records as extra data; return what to tell. Raises `Refused`."""
    need(keys, "a proof brings no keys: give those of the log with --key")
    proof = Proof(text, "the proof")
    checkpoint = Checkpoint(proof.note, keys, cosigners, "the checkpoint")
    evidence = parsed(proof.extra, "the extra data of the proof")
    what = f"log entry {proof.index} of {checkpoint.origin}"
    entry = proof.entry(evidence["entry"].encode(), checkpoint, what)
    said = []
    for record in evidence["records"]:
        row, table, name = record["row"], record["table"], name_of(record["row"])
        check_place(row, checkpoint.origin, entry)
        path = [unbase64(each, f"the path of {name}") for each in record["path"]]
        leaf = leaf_of(row, evidence["types"][table], name)
        found = root_of_path(leaf, record["position"], entry["tables"][table]["rows"], path, name)
        need(found.hex() == entry["tables"][table]["root"], f"the row {name} is not what {what} committed to")
        said.append(f"{name}: a row of {table}")
    need(len(set(said)) == len(said) > 0, "the proof is of no record, or of one twice")
    if "receipt" in evidence:
        said.append(check_receipt(evidence["receipt"], [record["row"] for record in evidence["records"]], keys, checkpoint.origin))
    return [*said, checkpoint.told, "VALID: as it was committed, by your keys"]


# the command


def files_of(path: Path) -> dict[str, bytes]:
    """Return the files of an unpacked or zipped bundle by name. Raises `Refused`, OSError."""
    if not path.is_dir():
        return archived(path.read_bytes(), path.name)
    return {each.relative_to(path).as_posix(): each.read_bytes() for each in sorted(path.rglob("*")) if each.is_file()}


def archived(data: bytes, name: str) -> dict[str, bytes]:
    """Return the files of a zip whose comment is the digest of everything before it, and that has nothing between them."""
    digest = ARCHIVE_DIGEST.search(data)
    if digest is None or hashlib.sha256(data[: digest.start()]).hexdigest().encode() != digest.group(1):
        raise Refused(f"{name} is no .tlog-proof, and not the zip that was written")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members, place = archive.infolist(), 0
        for each in members:  # readers that go from one local header to the next must find the same files
            at, *local, name_bytes, extra_bytes = place, *struct.unpack("<4s2xHH4xIIIHH", data[place : place + 30])
            stated = [b"PK\x03\x04", each.flag_bits, each.compress_type, each.CRC, each.compress_size, each.file_size]
            is_plain = each.compress_type in {0, 8} and each.external_attr >> 28 in {0, 8}  # no link
            need((at, local) == (each.header_offset, stated) and is_plain, f"{name} has a file of another form")
            place += 30 + name_bytes + extra_bytes + each.compress_size
        need(data[place : place + 4] == b"PK\x01\x02", f"{name} has something between its files")
        need(sum(each.file_size for each in members) < MAX_BYTES, f"{name} is larger than any bundle")
        names = [each.filename for each in members]
        need(len(set(names)) == len(names) and len({each.partition("/")[0] for each in names}) == 1, f"{name} is not one folder")
        return {each.partition("/")[2]: archive.read(each) for each in names}


def keys_of(texts: Sequence[str]) -> list[Key]:
    """Return the keys that were given, as they are or in files of one a line. Raises `Refused`, OSError, ValueError."""
    keys: list[Key] = []
    for text in texts:
        lines = [text]
        if text.count("+") < 2:
            data = Path(text).read_bytes()
            lines = data.decode("utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig").split()
        need(lines, f"{text} holds no key")
        keys += [Key(line) for line in lines]
    return keys


_NO_EVIDENCE = (
    ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, RuntimeError, TypeError, ValueError, struct.error,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What reading something else than evidence can come to."""


def verify(path: Path, keys: Sequence[Key] = (), cosigners: Sequence[Key] = (), *, must_be_signed: bool = False) -> list[str]:
    """Verify a bundle or a proof; return lines to tell. Raises `Refused`, and OSError when it cannot be read."""
    try:
        data = b"" if path.is_dir() else path.read_bytes()
        if data.startswith(PROOF.encode()):
            said = verify_proof(data.decode(), keys, cosigners)
        else:
            files = files_of(path) if path.is_dir() else archived(data, path.name)
            said = Bundle(files, keys, cosigners, must_be_signed=must_be_signed).verify()
    except _NO_EVIDENCE as error:
        raise Refused(f"it does not have the form of evidence ({type(error).__name__})") from None
    return [printable(line) for line in said]


def tell(stream: Any, lines: Iterable[str]) -> None:
    """Write lines, also where the terminal does not have all letters."""
    encoding = stream.encoding or "ascii"
    stream.write("".join(line.encode(encoding, "backslashreplace").decode(encoding) + "\n" for line in lines))


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description="Verify evidence of auditlake: a bundle or a proof.")
    parser.add_argument("evidence", nargs="?", type=Path, default=Path(__file__).resolve().parent)
    parser.add_argument("--key", action="append", default=[], help="a verifier key to trust, or a file of them")
    parser.add_argument("--witness", action="append", default=[], help="a verifier key that must have cosigned, or a file of them")
    parser.add_argument("--signed", action="store_true", help="refuse a bundle that its exporter did not sign")
    given = parser.parse_args()
    try:
        keys, cosigners = keys_of(given.key), keys_of(given.witness)
    except (Refused, OSError, ValueError) as error:
        tell(sys.stderr, [printable(f"cannot read a key: {error}")])
        return 2
    try:
        said = verify(given.evidence, keys, cosigners, must_be_signed=given.signed)
    except Refused as problem:
        tell(sys.stdout, [f"REFUSED: {problem}"])
        return 1
    except OSError as error:
        tell(sys.stderr, [printable(f"cannot read {error.filename}: {error.strerror}")])
        return 2
    if not keys:
        said.append("note: the keys came with the evidence: compare them with keys that you have from elsewhere, and give those with --key")
    tell(sys.stdout, said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
