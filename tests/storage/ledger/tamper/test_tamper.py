"""Whatever is done to a lake behind its back, verification finds it and says what it is; whatever is harmless stays valid."""

from pathlib import Path

import pytest

from tests.storage.ledger.tamper.attack import Attack
from tests.storage.ledger.tamper.file_attacks import FILE_ATTACKS
from tests.storage.ledger.tamper.log_attacks import LOG_ATTACKS
from tests.storage.ledger.tamper.row_attacks import ROW_ATTACKS
from tests.storage.ledger.tamper.tampered_lake import Lake, made

STATES = ("fresh", "compacted")
ATTACKS = (*ROW_ATTACKS, *FILE_ATTACKS, *LOG_ATTACKS)


def named(attack: Attack) -> str:
    """What an attack does, as the name of a test."""
    return attack.what.replace(" ", "-")


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Lake]:
    """A lake as it was sealed, and one that was compacted, each with the memory of who verified it."""
    return {state: made(tmp_path_factory.mktemp("tamper") / state, compacted=state == "compacted") for state in STATES}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("attack", ATTACKS, ids=named)
def test_an_attack_is_detected_and_named(lakes: dict[str, Lake], attack: Attack, state: str, tmp_path: Path) -> None:
    """A quick verification does: it hashes every row of a file that changed, and every byte of the others."""
    lake = lakes[state].copy(tmp_path)
    attack.do(lake)
    report = lake.verify(quick=True)
    assert not report.ok
    assert attack.named(report), report.to_json()


@pytest.mark.parametrize("attack", ATTACKS[::9], ids=named)
def test_a_deep_verification_that_remembers_no_file_names_the_same(lakes: dict[str, Lake], attack: Attack, tmp_path: Path) -> None:
    lake = lakes["fresh"].copy(tmp_path)
    attack.do(lake)
    assert attack.named(lake.verify())


def test_the_suite_is_not_smaller_than_it_is_said_to_be() -> None:
    """docs/verify.md counts the attacks."""
    page = (Path(__file__).parents[4] / "docs" / "verify.md").read_text(encoding="utf-8")
    assert f"does {len(ATTACKS)} things to a lake" in page
