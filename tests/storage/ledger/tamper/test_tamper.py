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


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Lake]:
    """A lake as it was sealed, and one that was compacted, each with the memory of who verified it."""
    return {state: made(tmp_path_factory.mktemp("tamper") / state, compacted=state == "compacted") for state in STATES}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.what.replace(" ", "-"))
def test_an_attack_is_detected_and_named(lakes: dict[str, Lake], attack: Attack, state: str, tmp_path: Path) -> None:
    """Of a fresh lake every row is hashed again; of a compacted one the files that changed: neither lets an attack pass."""
    lake = lakes[state].copy(tmp_path)
    attack.do(lake)
    report = lake.verify(quick=state == "compacted")
    assert not report.ok
    assert attack.named(report), report.to_json()
