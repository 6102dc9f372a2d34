"""Attacks on the log: by who can write its files, and by who has its key and signs another history."""

import os
import shutil
from collections.abc import Callable
from typing import Final

import orjson

from storage.ledger.note import SigningKey
from storage.ledger.tiles import decode_bundle, encode_bundle
from storage.ledger.verdicts import Verdict
from tests.storage.ledger.tamper.attack import Attack
from tests.storage.ledger.tamper.tampered_lake import ORIGIN, Lake, flipped

BUNDLE: Final = "tile/entries/000.p/6"
TILE: Final = "tile/0/000.p/6"
CHECKPOINT: Final = f"ledger/{ORIGIN}/checkpoint"


def _bundle(change: Callable[[list[bytes]], object]) -> Callable[[Lake], None]:
    """Change the entries of the log's bundle."""

    def do(lake: Lake) -> None:
        path = lake.ledger_file(BUNDLE)
        entries = decode_bundle(path.read_bytes())
        change(entries)
        path.write_bytes(encode_bundle(entries))

    return do


def _recounted(body: bytes) -> bytes:
    entry = orjson.loads(body)
    entry["counters"]["rejected"] += 1
    return orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)


def _recount(entries: list[bytes]) -> None:
    entries[2] = _recounted(entries[2])


def _swap(entries: list[bytes]) -> None:
    entries[2], entries[3] = entries[3], entries[2]


def _text(change: Callable[[str], str]) -> Callable[[Lake], None]:
    """Change the text of the checkpoint."""

    def do(lake: Lake) -> None:
        path = lake.log.folder / "checkpoint"
        found = path.read_text(encoding="utf-8")
        changed = change(found)
        assert changed != found
        path.write_text(changed, encoding="utf-8")

    return do


def _other_root(text: str) -> str:
    lines = text.split("\n")
    lines[2] = ("A" if lines[2][0] != "A" else "B") + lines[2][1:]
    return "\n".join(lines)


def _stranger() -> SigningKey:
    return SigningKey.from_seed(ORIGIN, os.urandom(32))


def _signed_by_a_stranger(lake: Lake) -> None:
    """The same log under another key, which the stored keys name."""
    stranger = _stranger()
    lake.write_log(lake.bodies(), stranger)
    (lake.data / "ledger" / "keys.txt").write_text(f"{stranger.verifier}\n", encoding="utf-8")


def _rewritten_history(lake: Lake) -> None:
    """Who has the key alters a row, and the log with it: everything that stands there agrees."""
    bodies = lake.bodies()
    lake.edit(0, 0, "spans", name="harmless")
    bodies[0] = _committed_anew(lake, bodies[0])
    lake.write_log(bodies)


def _committed_anew(lake: Lake, body: bytes) -> bytes:
    from storage.ledger.leaves import file_leaves, table_root

    entry = orjson.loads(body)
    leaves = file_leaves([lake.path(lake.file())], "spans")
    entry["tables"]["spans"]["root"] = table_root(leaves.filter(_of_entry(leaves))).hex()
    return orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)


def _of_entry(leaves: object) -> object:
    import pyarrow.compute as pc

    return pc.equal(leaves["entry"], 0)  # type: ignore[index]


def _tail_cut(lake: Lake) -> None:
    """The newest segment never was: not in the log, not in the catalog, not in the files."""
    lake.write_log(lake.bodies()[:5])
    lake.sql("DELETE FROM entries WHERE entry = 5")
    file = lake.file("spans", 5)
    lake.rewrite(file, lambda rows: [rows.remove(row) for row in list(rows) if row["entry"] == 5])
    if file.min_entry == 5:
        lake.sql("DELETE FROM files WHERE path = ?", file.path)
        lake.path(file).unlink()
    else:
        lake.believe(file, max_entry=2)


def _forked(lake: Lake) -> None:
    """As many entries as before, the last of them another one."""
    bodies = lake.bodies()
    lake.write_log([*bodies[:5], _recounted(bodies[5])])


def _skipped(lake: Lake) -> None:
    """A log without one of its segments, signed by its own key."""
    bodies = lake.bodies()
    lake.write_log([*bodies[:3], *bodies[4:]])


def _older_checkpoint(lake: Lake) -> None:
    """The same size, signed earlier: as if nobody had been there since."""
    body, _, _ = (lake.log.folder / "checkpoint").read_text(encoding="utf-8").partition("\n\n")
    text = f"{body}\n"
    lines = [lake.signer.sign(text), lake.signer.cosign(text, 1_700_000_000)]
    (lake.log.folder / "checkpoint").write_text("\n".join([text, *lines, ""]), encoding="utf-8")


def _yesterday(lake: Lake) -> None:
    """Everything is put back to how it was when there were three segments."""
    from tests.storage.ledger.tamper.tampered_lake import segments

    shutil.rmtree(lake.data / "data")
    shutil.rmtree(lake.data / "ledger")
    (lake.data / "catalog.sqlite").unlink()
    for each in ("catalog.sqlite-wal", "catalog.sqlite-shm"):
        (lake.data / each).unlink(missing_ok=True)
    for rows in segments()[:3]:
        lake.seal(rows)


def _older_catalog(lake: Lake) -> None:
    """The catalog is put back to five segments, the log is not."""
    lake.sql("DELETE FROM entries WHERE entry = 5")
    lake.sql("DELETE FROM log WHERE idx = 5")


def _remove(part: str) -> Callable[[Lake], None]:
    return lambda lake: lake.ledger_file(part).unlink()


def _gone(*parts: str) -> Callable[[Lake], None]:
    def do(lake: Lake) -> None:
        for part in parts:
            path = lake.data / part
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return do


def _another_log(lake: Lake) -> None:
    """The checkpoint of another origin, signed by its own key."""
    other = "node/access"
    lake.seal({"events": []}, origin=other)
    shutil.copy(lake.data / "ledger" / other / "checkpoint", lake.log.folder / "checkpoint")


def _catalog_copy(lake: Lake) -> None:
    body = _recounted(lake.bodies()[1])
    lake.sql("UPDATE log SET body = ? WHERE idx = 1", body.decode())


def _replace_bit(part: str) -> Callable[[Lake], None]:
    return lambda lake: flipped(lake.ledger_file(part), 100)


LOG_ATTACKS: Final = (
    Attack("a bit of a log entry", _replace_bit(BUNDLE), Verdict.ALTERED, entry=0, path=BUNDLE[:-4], says="log entry 0"),
    Attack("a log entry edited", _bundle(_recount), Verdict.ALTERED, entry=2, says="log entry 2"),
    Attack("two log entries exchanged", _bundle(_swap), Verdict.ALTERED, path="tile/entries", says="log entry 2"),
    Attack("a log entry dropped", _bundle(lambda entries: entries.pop(2)), Verdict.ALTERED, path="tile/entries", says="5 entries"),
    Attack("a log entry inserted", _bundle(lambda entries: entries.insert(2, entries[2])), Verdict.ALTERED, path="tile/entries"),
    Attack("the newest log entry dropped", _bundle(lambda entries: entries.pop()), Verdict.ALTERED, path="tile/entries"),
    Attack("a bundle of log entries deleted", _remove(BUNDLE), Verdict.MISSING, path="tile/entries"),
    Attack("a bit of a tile", _replace_bit(TILE), Verdict.ALTERED, path="tile/0/000", says="hashes"),
    Attack("a tile deleted", _remove(TILE), Verdict.MISSING, path="tile/0/000"),
    Attack("the checkpoint's size", _text(lambda text: text.replace("\n6\n", "\n5\n")), Verdict.ALTERED, path=CHECKPOINT, says="altered"),
    Attack("the checkpoint's root", _text(_other_root), Verdict.ALTERED, path=CHECKPOINT, says="altered"),
    Attack("the checkpoint's origin", _text(lambda text: text.replace(ORIGIN, "node/other", 1)), Verdict.ALTERED, path=CHECKPOINT),
    Attack("the checkpoint is text", _text(lambda text: "signed\n"), Verdict.ALTERED, path=CHECKPOINT),
    Attack("the checkpoint without signatures", _text(lambda text: text.partition("—")[0]), Verdict.ALTERED, path=CHECKPOINT),
    Attack("the checkpoint of another log", _another_log, Verdict.ALTERED, path=CHECKPOINT),
    Attack("the checkpoint deleted", _remove("checkpoint"), Verdict.MISSING, path=CHECKPOINT, says="its log is gone"),
    Attack("the log deleted", _gone(f"ledger/{ORIGIN}"), Verdict.MISSING, says="its log is gone"),
    Attack("the whole ledger deleted", _gone("ledger"), Verdict.MISSING, says="its log is gone"),
    Attack("the whole lake deleted but for its catalog", _gone("ledger", "data"), Verdict.MISSING, says="its log is gone"),
    Attack("the key replaced", _signed_by_a_stranger, Verdict.ALTERED, path=CHECKPOINT, says="the key was replaced"),
    Attack("a row rewritten with all of the log", _rewritten_history, Verdict.ALTERED, says="the log was rewritten"),
    Attack("the tail cut off everywhere", _tail_cut, Verdict.MISSING, says="6 entries were seen before"),
    Attack("the newest entry exchanged, signed", _forked, Verdict.ALTERED, says="the log was rewritten"),
    Attack("a segment left out, signed", _skipped, Verdict.MISSING, says="6 entries were seen before"),
    Attack("an older checkpoint of the same log", _older_checkpoint, Verdict.MISSING, path=CHECKPOINT, says="older"),
    Attack("everything rolled back to yesterday", _yesterday, Verdict.MISSING, says="older copy was restored"),
    Attack("the catalog rolled back", _older_catalog, Verdict.MISSING, path="catalog.sqlite", says="older catalog"),
    Attack("the catalog's copy of a log entry", _catalog_copy, Verdict.ALTERED, entry=1, path="catalog.sqlite"),
)  # fmt: skip
