"""The trace-contract file: every mistake is named with its line, its key, and what was meant."""

from pathlib import Path

import pytest

from storage.contract import TraceContract, load_contract
from storage.contract.document import ContractFileError
from storage.errors import StorageError


def problems(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "contract.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ContractFileError) as error:
        load_contract(path)
    assert str(path) in str(error.value)
    assert isinstance(error.value, StorageError)
    return [str(problem) for problem in error.value.problems]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: c\ntools:\n  alowed: [a]", "line 3: tools.alowed: unknown key 'alowed': did you mean 'allowed'?"),
        ("name: c\nlimit: {}", "line 2: limit: unknown key 'limit': did you mean 'limits'?"),
        ("name: c\nevals:\n- name: e\n- nam: f", "line 4: evals[1].nam: unknown key 'nam': did you mean 'name'?"),
        ("tools: {}", "line 1: name: is required"),
        ("name: c\nlimits: {cost_usd: -1}", "line 2: limits.cost_usd: Input should be greater than or equal to 0"),
        ("name: c\nlimits: {steps: many}", "line 2: limits.steps: Input should be a valid integer"),
        ("name: c\nversion: 3", "line 2: version: Input should be a valid string"),
        (
            "name: c\nwaived_fields: ['tool: retries']",
            "line 2: waived_fields: unknown field 'tool: retries': did you mean 'tool: retry count'?",
        ),
        ("name: c\ntools: [a]", "line 2: tools: must be a mapping of keys: Tools"),
        ("name: c\nname: d", "line 2: name: stands twice: keep one of them"),
        ("name: [", "line 1: not valid YAML"),
        ("- a", "line 1: must be a mapping"),
        ("", "line 1: name: is required"),
        ("name: c\nrun: {status: [done]}", "line 2: run.status[0]: Input should be 'ok', 'error', 'running' or 'abandoned'"),
        ("name: &a [*a]", "line 1: not valid YAML"),
        ("name: c\nlimits: {cost_usd: .nan}", "line 2: limits.cost_usd: Input should be a finite number"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_key(tmp_path: Path, text: str, says: str) -> None:
    assert any(problem.startswith(says) for problem in problems(tmp_path, text)), problems(tmp_path, text)


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    assert len(problems(tmp_path, "tools: {alowed: [a]}\nlimits: {steps: x}")) == 3


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "contract.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ContractFileError, match=r"cannot be read|not UTF-8"):
        load_contract(path)


def test_a_contract_of_a_name_alone_demands_nothing(tmp_path: Path) -> None:
    path = tmp_path / "contract.yaml"
    path.write_text("name: c\n")
    assert load_contract(path) == TraceContract(name="c")
    assert load_contract(path).title == "c"
