"""Verification: which keys it trusts, and what copies elsewhere contribute."""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from storage.catalog import Catalog
from storage.ledger.anchors import Anchor, Evidence
from storage.ledger.errors import LedgerError
from storage.ledger.keys import Keys
from storage.ledger.log_writer import Ledger
from storage.ledger.note import SigningKey
from storage.ledger.rotation import rotate
from storage.ledger.verdicts import Verdict
from storage.ledger.verify import Options, verify
from storage.ledger.verify_state import State
from tests.storage.ledger.tamper.tampered_lake import ORIGIN, Lake, made, sealed_ns, segments
from tests.storage.ledger.written_log import WrittenLog


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake that was sealed, and not touched since."""
    return made(tmp_path_factory.mktemp("trust") / "lake", compacted=False)


@pytest.fixture
def lake(pristine: Lake, tmp_path: Path) -> Lake:
    """A copy of its own."""
    return pristine.copy(tmp_path)


def test_a_given_key_is_the_only_one_that_counts(lake: Lake) -> None:
    """Also for origins of another name: one seed signs for all of a lake."""
    ours, name = str(lake.signer.verifier), SigningKey.from_seed("any/name", Keys(lake.data).seed())
    assert lake.verify(keys=(ours,)).ok
    assert lake.verify(keys=(str(name.verifier),)).ok
    stranger = str(SigningKey.from_seed(ORIGIN, os.urandom(32)).verifier)
    report = lake.verify(keys=(stranger,))
    assert "no key that is given signed its checkpoint" in next(report.findings).detail


def test_a_key_that_follows_a_trusted_one_is_trusted(lake: Lake) -> None:
    old = str(lake.signer.verifier)
    with closing(Catalog.open(lake.data)) as catalog:
        (new,) = rotate(lake.data, catalog, Ledger(), now_ns=sealed_ns(70))
    lake.seal(segments()[0])
    assert lake.verify(keys=(old,)).ok
    assert lake.verify().ok
    shutil.rmtree(lake.log.folder / "rotations")
    assert not lake.verify(keys=(old,)).ok
    assert lake.verify(keys=(str(new),)).ok


def test_a_key_after_a_loss_is_not_trusted_until_it_is_given(lake: Lake) -> None:
    (lake.data / "keys" / "ledger.key").unlink()
    with closing(Catalog.open(lake.data)) as catalog:
        (new,) = rotate(lake.data, catalog, Ledger(), now_ns=sealed_ns(70), lost=True)
    assert not lake.verify().ok
    assert lake.verify(keys=(str(new),)).ok
    assert lake.verify().ok, "what was given once is remembered"


def test_anchored_and_unanchored_entries_are_told_apart(lake: Lake, tmp_path: Path) -> None:
    place = Anchor(str(tmp_path / "elsewhere"))
    place.publish(ORIGIN, lake.log.checkpoint() or "", time_s=1)
    lake.seal(segments()[0])
    report = lake.verify(sources=(place,))
    assert [(finding.first, finding.last, finding.anchored) for finding in report.findings] == [(0, 5, True), (6, 6, False)]
    assert (report.ok, report.unanchored) == (True, 1)


def test_a_checkpoint_elsewhere_contradicts_a_log_that_was_taken_back(lake: Lake, tmp_path: Path) -> None:
    """Also for a verifier that remembers nothing."""
    place = Anchor(str(tmp_path / "elsewhere"))
    place.publish(ORIGIN, lake.log.checkpoint() or "", time_s=1)
    lake.write_log(lake.bodies()[:5])
    report = verify(lake.data, Options(jobs=1, processes=False, sources=(place,)), State(), clock=lambda: sealed_ns(120))
    assert any(finding.verdict is Verdict.MISSING and f"copy {place.name}" in finding.detail for finding in report.findings)


def test_what_leaves_the_host_while_it_is_verified_is_no_tail_that_was_cut_off(lake: Lake, tmp_path: Path) -> None:
    """A collector seals and anchors while the second location is listed."""

    class Busy(Anchor):
        def evidence(self, origin: str) -> Iterator[Evidence]:
            lake.seal(segments()[0])
            self.publish(ORIGIN, lake.log.checkpoint() or "", time_s=2)
            yield from super().evidence(origin)

    report = lake.verify(sources=(Busy(str(tmp_path / "elsewhere")),))
    assert (report.ok, report.unanchored) == (True, 0)


def test_an_origin_of_which_nothing_is_left_but_copies_is_missing(lake: Lake, tmp_path: Path) -> None:
    """Log, key, rows and catalog entries of one origin are removed: the others do not know it."""
    place = Anchor(str(tmp_path / "elsewhere"))
    gone = WrittenLog(tmp_path / "gone", "node/gone")
    place.publish("node/gone", gone.grow(3), time_s=1)
    (tmp_path / "elsewhere" / "notes" / "by-hand").mkdir(parents=True)
    assert place.origins() == ["node/gone"]
    found = {finding.origin: finding for finding in lake.verify(sources=(place,)).findings if finding.verdict is Verdict.MISSING}
    assert list(found) == ["node/gone"]
    assert f"3 entries, says copy {place.name}" in found["node/gone"].detail


def test_what_a_source_told_before_it_failed_counts(lake: Lake, tmp_path: Path) -> None:
    class Torn(Anchor):
        def evidence(self, origin: str) -> Iterator[Evidence]:
            yield Evidence(kind="copy", by="torn", size=3, root=bytes(32), time_s=1)
            raise LedgerError("read", "torn", hint="its rest cannot be read")

    report = lake.verify(sources=(Torn(str(tmp_path / "elsewhere")),))
    (altered,) = [finding for finding in report.findings if finding.verdict is Verdict.ALTERED]
    assert "not those of copy torn" in altered.detail
    assert any("its rest cannot be read" in note for note in report.notes)
