"""docs/contract.md and docs/controls.md say what the code demands, and their examples work."""

import re
from pathlib import Path
from typing import Any

import pytest

from storage.contract import load_contract
from storage.contract.fields import required_fields
from storage.contract.file import TraceContract
from storage.controls import built_in, load_controls

DOCS = Path(__file__).parents[2] / "docs"
CONTRACT = (DOCS / "contract.md").read_text(encoding="utf-8")
CONTROLS = (DOCS / "controls.md").read_text(encoding="utf-8")


def test_every_required_field_stands_in_the_table_in_order() -> None:
    table = CONTRACT.split("## The event contract")[1].split("## A trace contract")[0]
    rows = re.findall(r"^\| (\w+) \| ([^|]+) \| [^|]+ \| [^|]*\|$", table, re.MULTILINE)
    assert [row for row in rows if row[0] != "event"] == [(event, field) for event, fields in required_fields().items() for field in fields]


def test_the_example_of_a_contract_uses_every_key(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", CONTRACT, re.DOTALL)
    path = tmp_path / "contract.yaml"
    path.write_text(example)
    contract = load_contract(path)
    assert TraceContract.model_fields.keys() - contract.model_fields_set == {"description"}
    for name in ("tools", "side_effects", "approvals", "models", "limits", "events", "run", "privacy"):
        section = getattr(contract, name)
        assert type(section).model_fields.keys() == section.model_fields_set, name
    assert {key for each in contract.evals for key in each.model_fields_set} == {"name", "min_score", "passed"}


def test_the_table_of_controls_is_the_controls() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", CONTROLS, re.MULTILINE)
    assert rows == [(control.name, control.title, control.rationale, control.reference) for control in built_in()]


def test_the_example_of_an_own_control_is_one(tmp_path: Path) -> None:
    (example,) = re.findall(r"```sql\n(.*?)```", CONTROLS, re.DOTALL)
    (tmp_path / "refunds_by_support.sql").write_text(example)
    (control,) = load_controls(tmp_path)
    assert control.reference == "POL-12"


@pytest.mark.parametrize(("page", "command"), [(CONTRACT, "contract"), (CONTROLS, "controls")])
def test_every_option_of_the_command_is_documented(page: str, command: str) -> None:
    """Those that every reading command has stand in docs/cli.md."""
    from typer.main import get_command

    from cli.main import application

    group: Any = get_command(application())
    options = {option for each in group.commands[command].params for option in each.opts if option.startswith("--")}
    assert [option for option in options - {"--data", "--help"} if option not in page] == []
