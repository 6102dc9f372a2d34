"""Verify evidence that `auditlake bundle` or `auditlake prove` made, with nothing but Python's standard library (3.9 or newer).

    python3 -I verify.py [--key KEY]... [--witness KEY]... [EVIDENCE]

EVIDENCE is the folder of an unpacked bundle (default: the one that this file is in), its zip file, or a `.tlog-proof` file. KEY is a
verifier key or a file of them, one a line; without it the keys in the bundle are believed, which shows only that the bundle agrees with
itself. Exit code: 0 everything is as it was committed, 1 it is not, 2 it cannot be read. No network; nothing is written.

What is checked, from the bottom up: every file against SHA256SUMS; the leaf hash of every row, SHA-256(00 || salt || canonical form); the
root of its table in the log entry (RFC 6962); the entry in the log (c2sp.org/tlog-proof); the checkpoint of the log (c2sp.org/signed-note
with Ed25519 of RFC 8032, c2sp.org/tlog-cosignature); the exporter's signature over SHA256SUMS. docs/ledger.md and docs/bundle.md of
auditlake say how all of it is written. It is one file, and imports nothing of ours, so that an auditor reads it from top to bottom.
"""
# ruff: noqa: B905, UP017 - it runs on Python 3.9

from __future__ import annotations

import argparse
import base64
import binascii
import bisect
import hashlib
import io
import json
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

BUNDLE = "auditlake bundle v1"
PROOF = "c2sp.org/tlog-proof@v1"
SIGNATURE_FILE = "SHA256SUMS.sig"
ARCHIVE_DIGEST = re.compile(rb"sha256:([0-9a-f]{64})\Z")
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - times are naive UTC


class Refused(Exception):
    """What was checked is not what was committed; says what and where."""


def need(condition: object, problem: str) -> None:
    """Refuse with `problem` unless `condition`."""
    if not condition:
        raise Refused(problem)


# Ed25519, RFC 8032 section 5.1; points are extended homogeneous coordinates (section 5.1.4)

Point = tuple[int, int, int, int]
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


def point_add(p: Point, q: Point) -> Point:
    """Section 5.1.4."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def point_times(scalar: int, point: Point) -> Point:
    """The point added to itself so often."""
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = point_add(result, point)
        point = point_add(point, point)
        scalar >>= 1
    return result


def point_of(data: bytes) -> Point | None:
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
    except (binascii.Error, ValueError):
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


def opened(note: str, keys: Sequence[Key], what: str) -> tuple[str, dict[str, int]]:
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
    """What a log states about itself, signed with its own key."""

    def __init__(self, note: str, keys: Sequence[Key], what: str) -> None:
        body, self.signers = opened(note, keys, what)
        match = re.fullmatch(r"([^\n]+)\n(0|[1-9][0-9]*)\n([^\n]+)\n(?:[^\n]+\n)*", body)
        if match is None:
            raise Refused(f"{what} is not a checkpoint")
        self.origin, self.size, self.root = match.group(1), int(match.group(2)), unbase64(match.group(3), f"the root of {what}")
        by = [Key(text) for text in self.signers]
        need(any(key.name == self.origin and key.algorithm == b"\x01" for key in by), f"no known key of the log signed {what}")

    def told(self, cosigners: Sequence[Key]) -> str:
        """Size and times of the cosignatures; every one of `cosigners` must be among them."""
        for cosigner in cosigners:
            need(cosigner.as_cosigner().text in self.signers, f"{cosigner.name} did not cosign the checkpoint of {self.origin}")
        times = sorted((seconds, Key(text).name) for text, seconds in self.signers.items() if seconds)
        signed = [f", signed by {name} at {datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%dT%H:%M:%SZ}" for seconds, name in times]
        return f"{self.origin}: a log of {self.size} entries{''.join(signed)}"


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
    known, rest = sorted(leaves), iter(hashes)

    def root(low: int, high: int, first: int, last: int) -> bytes:
        if first == last:
            return next(rest)
        if high - low == 1:
            return leaves[low]
        middle = low + split_of(high - low)
        cut = bisect.bisect_left(known, middle, first, last)
        left = root(low, middle, first, cut)
        return node_hash(left, root(middle, high, cut, last))

    need(known and known[0] >= 0 and known[-1] < size, f"{what} has rows that are not in its tree")
    try:
        found = root(0, size, 0, len(known))
    except StopIteration:
        raise Refused(f"the proof of {what} lacks hashes") from None
    need(next(rest, None) is None, f"the proof of {what} has hashes too many")
    return found


# the canonical form of a row


def split_types(text: str) -> list[str]:
    """Split the inside of `map<...>` or `struct<...>` at its own commas."""
    parts, depth, start = [], 0, 0
    for place, sign in enumerate(text):
        depth += (sign == "<") - (sign == ">")
        if sign == "," and not depth:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]


def of_text(value: str) -> str:
    """Its length in bytes of UTF-8, and the text."""
    return f"t{len(value.encode())}:{value}"


def of_integer(value: int) -> str:
    """Of any width."""
    need(type(value) is int, "a number is not an integer")
    return f"i{value};"


def of_double(value: float | str) -> str:
    """The shortest decimal that reads back as the same double; JSON has nan and the infinities as texts."""
    need(type(value) is float or value in {"nan", "inf", "-inf"}, "a number is not a double")
    return f"d{float(value)!r};"


def of_boolean(value: bool) -> str:
    """1 or 0."""
    need(type(value) is bool, "a value is not a boolean")
    return "b1;" if value else "b0;"


def of_time(value: str) -> str:
    """Microseconds since 1970 of a time that is written as 2026-11-21T12:00:00.000000Z."""
    moment = datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ")  # noqa: DTZ007 - naive UTC
    return f"u{(moment - EPOCH) // timedelta(microseconds=1)};"


def of_binary(value: str) -> str:
    """Hexadecimal, as JSON has it."""
    return f"x{len(bytes.fromhex(value))}:{bytes.fromhex(value).hex()}"


SCALARS: dict[str, Callable[[Any], str]] = {
    "text": of_text, "int": of_integer, "double": of_double, "bool": of_boolean, "time": of_time, "binary": of_binary,
}  # fmt: skip


def value_form(value: Any, kind: str) -> str:
    """Return the canonical form of one value of JSON that is of the type `kind`."""
    if value is None:
        return "n;"
    outer, _, inner = kind.partition("<")
    if outer == "list":
        return f"l{len(value)};" + "".join(value_form(each, inner[:-1]) for each in value)
    if outer == "map":
        of_key, of_value = split_types(inner[:-1])
        return f"m{len(value)};" + "".join(value_form(key, of_key) + value_form(each, of_value) for key, each in value.items())
    if outer == "struct":
        fields = [field.split(":", 1) for field in split_types(inner[:-1])]
        need(set(value) == {name for name, _ in fields}, "a structure has other fields than its type")
        return f"s{len(fields)};" + "".join(value_form(value[name], of_field) for name, of_field in fields)
    return SCALARS[outer](value)


def leaf_of(row: Mapping[str, Any], types: Mapping[str, str], what: str) -> bytes:
    """Return the leaf hash of a row: SHA-256(00 || salt || canonical form)."""
    try:
        names = sorted((name for name, value in row.items() if value is not None and name != "salt"), key=str.encode)
        need(all(re.fullmatch("[A-Za-z0-9_]+", name) for name in names), f"the row {what} has a column that no table has")
        form = "".join(f"{name}={value_form(row[name], types[name])}" for name in names)
        return hashlib.sha256(b"\x00" + bytes.fromhex(row["salt"]) + form.encode()).digest()
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Refused(f"the row {what} does not have the columns and types of its table") from None


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


Groups = dict[tuple[str, int, str], list[tuple[dict[str, Any], bytes]]]
"""Rows and their leaf hashes by origin, entry and table."""


_UNSIGNED = "\nwarning: not signed by the exporter: rows may be left out, and what is no row, log entry or checkpoint is only stated"


class Bundle:
    """The files of a bundle by name; those of SHA256SUMS, and no others."""

    def __init__(self, files: Mapping[str, bytes], keys: Sequence[Key], cosigners: Sequence[Key]) -> None:
        self.files, self.cosigners = files, cosigners
        self.check_sums()
        self.manifest = self.json("manifest.json")
        need(self.manifest["format"] == BUNDLE, f"manifest.json is not of {BUNDLE}")
        self.keys = keys or [Key(line) for line in self.text("keys.txt").split()]
        self.believed = "your keys" if keys else "the keys in this bundle"

    def verify(self) -> list[str]:
        """Check everything; return what to tell. Raises `Refused`."""
        signed = self.check_signature()
        checkpoints = self.checkpoints()
        rows = self.check_rows(checkpoints)
        told, run = self.manifest["exported"], self.manifest["run_id"]
        return [
            f"run {run}: {rows} rows in {len(self.json('ledger/proofs.json'))} log entries",
            *(checkpoint.told(self.cosigners) for checkpoint in checkpoints.values()),
            f"exported {told['at']} by {told['by']}: {told['reason'] or 'no reason given'}{signed}",
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
        """Every file is what SHA256SUMS says."""
        listed: dict[str, str] = {}
        for line in self.text("SHA256SUMS").splitlines(keepends=True):
            match = re.fullmatch("([0-9a-f]{64})  ([^\\n]+)\\n", line)
            if match is None or match.group(2) in listed:
                raise Refused("SHA256SUMS has a line of the wrong form")
            listed[match.group(2)] = match.group(1)
        for name, digest in listed.items():
            need(name in self.files, f"{name} is missing")
            need(hashlib.sha256(self.files[name]).hexdigest() == digest, f"{name} is not the file that was exported")
        extra = sorted(set(self.files) - set(listed) - {"SHA256SUMS", SIGNATURE_FILE})
        need(not extra, f"not in SHA256SUMS: {', '.join(extra)}")

    def check_signature(self) -> str:
        """The exporter signed SHA256SUMS, and so everything in the bundle, or says that it could not."""
        if not self.manifest["signed"]:
            need(SIGNATURE_FILE not in self.files, f"manifest.json knows of no {SIGNATURE_FILE}")
            return _UNSIGNED
        note = self.text(SIGNATURE_FILE)
        body, signers = opened(note, self.keys, SIGNATURE_FILE)
        need(len(signers) == 1 and note.count("\n") == 4, f"{SIGNATURE_FILE} is not one signature of a known key")
        need(body == f"{BUNDLE}\n{hashlib.sha256(self.files['SHA256SUMS']).hexdigest()}\n", "SHA256SUMS is not the one that was signed")
        return f" (signed by {Key(next(iter(signers))).name})"

    def checkpoints(self) -> dict[str, Checkpoint]:
        """The checkpoint of every log, by origin."""
        found = {}
        for origin in self.manifest["origins"]:
            what = f"the checkpoint of {origin}"
            found[origin] = Checkpoint(self.text(folder_of(origin) + "checkpoint"), [*self.keys, *self.cosigners], what)
            need(found[origin].origin == origin, f"{what} is of another log")
        return found

    def check_rows(self, checkpoints: Mapping[str, Checkpoint]) -> int:
        """Every row was committed; returns how many there are."""
        schema, counts = self.json("schema.json"), {}
        groups: Groups = {}
        for table in self.manifest["rows"]:
            lines = self.text(f"rows/{table}.jsonl").split("\n")
            need(lines.pop() == "", f"rows/{table}.jsonl is cut off")
            counts[table] = len(lines)
            for number, line in enumerate(lines, 1):
                row = parsed(line, f"line {number} of rows/{table}.jsonl")
                leaf = leaf_of(row, schema[table], name_of(row))
                groups.setdefault((row["origin"], row["entry"], table), []).append((row, leaf))
        need(counts == self.manifest["rows"] and sum(counts.values()), "manifest.json counts other rows, or none")
        for proof in self.json("ledger/proofs.json"):
            self.check_entry(proof, checkpoints[proof["origin"]], groups)
        need(not groups, f"there is no proof of the rows of {', '.join('/'.join(map(str, key[:2])) for key in groups)}")
        return sum(counts.values())

    def check_entry(self, proof: Mapping[str, Any], checkpoint: Checkpoint, groups: Groups) -> None:
        """The rows of one log entry, which are taken out of `groups`, are those that it committed to."""
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


RECEIPT = b"auditlake receipt v1\n"


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
    proof = Proof(text, "the proof")
    checkpoint = Checkpoint(proof.note, [*keys, *cosigners], "the checkpoint")
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
    return [*said, checkpoint.told(cosigners), "VALID: as it was committed, by your keys"]


# the command


def files_of(path: Path) -> dict[str, bytes]:
    """Return the files of an unpacked or zipped bundle by name. Raises `Refused`, OSError."""
    if not path.is_dir():
        return archived(path.read_bytes(), path.name)
    return {each.relative_to(path).as_posix(): each.read_bytes() for each in sorted(path.rglob("*")) if each.is_file()}


def archived(data: bytes, name: str) -> dict[str, bytes]:
    """Return the files of a zip whose comment is the digest of everything before it."""
    digest = ARCHIVE_DIGEST.search(data)
    if digest is None or hashlib.sha256(data[: digest.start()]).hexdigest().encode() != digest.group(1):
        raise Refused(f"{name} is not the archive that was written")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        need(len(set(names)) == len(names) and len({each.partition("/")[0] for each in names}) == 1, f"{name} is not one folder")
        return {each.partition("/")[2]: archive.read(each) for each in names}


def keys_of(texts: Sequence[str]) -> list[Key]:
    """Return the keys that were given, as they are or in files of one a line. Raises `Refused`, OSError."""
    lines: list[str] = []
    for text in texts:
        lines += [text] if text.count("+") >= 2 and "\n" not in text else Path(text).read_text(encoding="utf-8").split()
    return [Key(line) for line in lines]


_NO_EVIDENCE = (
    ArithmeticError, AttributeError, EOFError, LookupError, RuntimeError, TypeError, ValueError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What reading something else than evidence can come to."""


def verify(path: Path, keys: Sequence[Key] = (), cosigners: Sequence[Key] = ()) -> list[str]:
    """Verify a bundle or a proof; return lines to tell. Raises `Refused`, and OSError when it cannot be read."""
    try:
        if path.is_dir():
            return Bundle(files_of(path), keys, cosigners).verify()
        data = path.read_bytes()
        if data.startswith(PROOF.encode()):
            return verify_proof(data.decode(), keys, cosigners)
        return Bundle(archived(data, path.name), keys, cosigners).verify()
    except _NO_EVIDENCE as error:
        raise Refused(f"it does not have the form of evidence ({type(error).__name__})") from None


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description="Verify evidence of auditlake: a bundle or a proof.")
    parser.add_argument("evidence", nargs="?", type=Path, default=Path(__file__).resolve().parent)
    parser.add_argument("--key", action="append", default=[], help="a verifier key to trust, or a file of them")
    parser.add_argument("--witness", action="append", default=[], help="a verifier key that must have cosigned, or a file of them")
    given = parser.parse_args(words)
    try:
        keys = keys_of(given.key)
        said = verify(given.evidence, keys, keys_of(given.witness))
    except Refused as problem:
        sys.stdout.write(f"REFUSED: {problem}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"cannot read {error.filename}: {error.strerror}\n")
        return 2
    if not keys:
        said.append("note: the keys came with the evidence: compare them with keys that you have from elsewhere, and give those with --key")
    sys.stdout.write("".join(line + "\n" for line in said))
    return 0


if __name__ == "__main__":
    sys.exit(main())
