"""A second implementation of the ledger's formats, which the tests hold ours against: standard library and `cryptography` alone.

Written from RFC 6962, RFC 9162, the C2SP specifications and docs/ledger.md, and on purpose in another way than `storage.ledger`: trees by
recursion, verification by the bits of the index. The form of rows is in `tests.second_form`. Neither shares code with ours, and must not.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.second_form import Kind, row_leaf


class Refused(Exception):
    """The ledger is not what it claims to be; says what and where."""


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


# --- RFC 6962, section 2.1


def mth(data: Sequence[bytes]) -> bytes:
    """Merkle Tree Hash of leaf hashes."""
    if not data:
        return sha256()
    if len(data) == 1:
        return data[0]
    k = half(len(data))
    return sha256(b"\x01", mth(data[:k]), mth(data[k:]))


def half(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def path(m: int, data: Sequence[bytes]) -> list[bytes]:
    if len(data) == 1:
        return []
    k = half(len(data))
    return [*path(m, data[:k]), mth(data[k:])] if m < k else [*path(m - k, data[k:]), mth(data[:k])]


def subproof(m: int, data: Sequence[bytes], complete: bool) -> list[bytes]:
    if m == len(data):
        return [] if complete else [mth(data)]
    k = half(len(data))
    if m <= k:
        return [*subproof(m, data[:k], complete), mth(data[k:])]
    return [*subproof(m - k, data[k:], False), mth(data[:k])]


# --- RFC 9162, sections 2.1.3.2 and 2.1.4.2


def included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    if index >= size:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = sha256(b"\x01", p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = sha256(b"\x01", r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def consistent(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> bool:
    if first == second:
        return not proof and first_root == second_root
    if not proof or not 0 < first < second:
        return False
    steps = list(proof)
    if first & (first - 1) == 0:
        steps.insert(0, first_root)
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = steps[0]
    for c in steps[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = sha256(b"\x01", c, fr), sha256(b"\x01", c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = sha256(b"\x01", sr, c)
        fn, sn = fn >> 1, sn >> 1
    return fr == first_root and sr == second_root and sn == 0


# --- signed-note, tlog-checkpoint, tlog-cosignature

NOTE = re.compile(rb"\A(?P<text>(?:[^\x00-\x09\x0b-\x1f]*\n)+?)\n(?P<lines>(?:\xe2\x80\x94 [^ \n+]+ [A-Za-z0-9+/]+={0,2}\n)+)\Z")


def open_note(note: bytes, verifier_keys: Iterable[str]) -> tuple[bytes, dict[str, int | None]]:
    """Text of a note and, for each of these keys that signed it, the time of its cosignature (None where there is none)."""
    match = NOTE.match(note)
    if match is None:
        raise Refused("not a signed note")
    note.decode()
    known = {}
    for text in verifier_keys:
        name, key_id, encoded = text.split("+", 2)
        material = base64.b64decode(encoded)
        if sha256(name.encode(), b"\n", material)[:4].hex() != key_id:
            raise Refused(f"the id of {name} is not that of its key")
        known[name.encode(), bytes.fromhex(key_id)] = text, material
    signed_by: dict[str, int | None] = {}
    for line in match["lines"].splitlines():
        _, name, encoded = line.split(b" ")
        blob = base64.b64decode(encoded)
        if (name, blob[:4]) not in known:
            continue
        text, material = known[name, blob[:4]]
        message, signature, time = match["text"], blob[4:], None
        if material[0] == 4:
            time = int.from_bytes(blob[4:12], "big")
            message, signature = b"cosignature/v1\ntime %d\n" % time + message, blob[12:]
        try:
            Ed25519PublicKey.from_public_bytes(material[1:]).verify(signature, message)
        except InvalidSignature:
            raise Refused(f"the signature of {name.decode()} is not over this text") from None
        signed_by[text] = time
    if not signed_by:
        raise Refused("no known key signed")
    return match["text"], signed_by


def checkpoint(text: bytes) -> tuple[str, int, bytes]:
    origin, size, root, *_ = text.decode().split("\n")
    return origin, int(size), base64.b64decode(root)


# --- tlog-tiles


def number(n: int) -> str:
    text = str(n)
    text = text.zfill(-(-len(text) // 3) * 3)
    groups = [text[i : i + 3] for i in range(0, len(text), 3)]
    return "".join(f"x{group}/" for group in groups[:-1]) + groups[-1]


def tile(folder: Path, level: str, n: int, width: int) -> bytes:
    """The file that a client of a log of this size fetches: the partial one, or the full one that took its place."""
    full = folder / "tile" / level / number(n)
    partial = Path(f"{full}.p") / str(width)
    return (partial if width < 256 and partial.exists() else full).read_bytes()


def log_entries(folder: Path, size: int) -> list[bytes]:
    entries: list[bytes] = []
    for n in range(-(-size // 256)):
        width = min(256, size - n * 256)
        data, found = tile(folder, "entries", n, width), []
        while data:
            length = data[0] * 256 + data[1]
            if len(data) < 2 + length:
                raise Refused(f"bundle {n} is cut off")
            found.append(data[2 : 2 + length])
            data = data[2 + length :]
        entries += found[:width]
    return entries


def check_tiles(folder: Path, leaves: Sequence[bytes]) -> None:
    """Every tile of every level of a log with these leaves holds what the specification says."""
    level, hashes = 0, list(leaves)
    while hashes:
        for n in range(-(-len(hashes) // 256)):
            expected = hashes[n * 256 : n * 256 + 256]
            if tile(folder, str(level), n, len(expected))[: 32 * len(expected)] != b"".join(expected):
                raise Refused(f"tile {level}/{n} is not over the entries")
        hashes = [mth(hashes[n * 256 : n * 256 + 256]) for n in range(len(hashes) // 256)]
        level += 1


def check_log(folder: Path, verifier_keys: Iterable[str]) -> tuple[str, list[dict[str, Any]]]:
    """Origin and entries of a log whose checkpoint one of these keys signed."""
    text, _ = open_note((folder / "checkpoint").read_bytes(), verifier_keys)
    origin, size, root = checkpoint(text)
    entries = log_entries(folder, size)
    leaves = [sha256(b"\x00", entry) for entry in entries]
    if len(entries) != size or mth(leaves) != root:
        raise Refused(f"the entries of {origin} are not those of its checkpoint")
    check_tiles(folder, leaves)
    return origin, [json.loads(entry) for entry in entries]


# --- docs/ledger.md, from rows to logs

Place = tuple[str, str, int]
"""Origin, table, entry."""


def removed(folder: Path, origin: str, entries: list[dict[str, Any]]) -> tuple[dict[Place, list[tuple[int, bytes]]], set[Place]]:
    """The leaves of tombstones that a log names, and the places of which it says that no row is left."""
    buried: dict[Place, list[tuple[int, bytes]]] = {}
    expired: set[Place] = set()
    for entry in entries:
        if named := entry.get("tombstones"):
            content = (folder / named["path"]).read_bytes()
            if sha256(content).hex() != named["sha256"]:
                raise Refused(f"the tombstones of {entry['order']} are not those that the log names")
            for stone in map(json.loads, content.splitlines()):
                buried.setdefault((origin, stone["table"], stone["entry"]), []).append((stone["row"], bytes.fromhex(stone["leaf"])))
        if entry["kind"] == "expiry":
            expired |= {(origin, table, n) for table, pairs in entry["entries"].items() for a, b in pairs for n in range(a, b + 1)}
    return buried, expired


def check_lake(ledger: Path, verifier_keys: Sequence[str], rows: Iterable[tuple[str, dict[str, Any], dict[str, Kind]]]) -> int:
    """Hold all rows of a lake (table, row, kinds of its columns) against all of its logs; returns how many are proven.

    Tombstones stand for their rows. Refused are rows that no log knows or that differ, and segments that are not whole.
    """
    leaves: dict[Place, list[tuple[int, bytes]]] = {}
    proven = 0
    for table, row, kinds in rows:
        leaves.setdefault((row["origin"], table, row["entry"]), []).append((row["entry_row"], row_leaf(row, kinds)))
        proven += 1
    for note in sorted(ledger.rglob("checkpoint")):
        origin, entries = check_log(note.parent, verifier_keys)
        if origin != note.parent.relative_to(ledger).as_posix():
            raise Refused(f"a log of {origin} is where another one should be")
        buried, expired = removed(note.parent, origin, entries)
        for segment in (entry for entry in entries if entry["kind"] == "segment"):
            for table, sealed in segment["tables"].items():
                place = (origin, table, segment["entry"])
                found = leaves.pop(place, []) if place not in expired else []
                in_order = [leaf for _, leaf in sorted(found + buried.get(place, []))]
                if place not in expired and (len(in_order), mth(in_order).hex()) != (sealed["rows"], sealed["root"]):
                    raise Refused(f"the rows of {table} in {origin}/{segment['entry']} are not those that were sealed")
    if leaves:
        raise Refused(f"{min(leaves)} has rows that no log knows")
    return proven
