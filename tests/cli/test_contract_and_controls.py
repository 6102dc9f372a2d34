"""`auditlake contract` and `auditlake controls`: what they print, how they exit, and what they find in what the sample agent sends."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
import typer
from typer.testing import CliRunner, Result

from cli.commands import contract, controls
from storage.errors import StorageError
from tests.lake_builder import event, span, write_lake
from tests.sdk.otlp_server import serving
from tests.sealed_lake import seal

ROOT = Path(__file__).parents[2]
WHO = {"tenant": "acme", "environment": "prod", "release": "2.0", "actor": "customer-9"}


@pytest.fixture(autouse=True)
def logging_of_before() -> Iterator[None]:
    """Commands configure logging for their process; tests after these must not write to a closed stream."""
    yield
    structlog.reset_defaults()


def invoke(*arguments: str | Path) -> Result:
    app = typer.Typer()
    for module in (contract, controls):
        module.register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def ended(run: str, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    return [row | WHO | {"run_id": run, "trace_id": run} for row in (span("root", step_kind="run"), *rows)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without a step, and one whose tool ran although its policy denied it."""
    data = tmp_path_factory.mktemp("commands")
    tool = span("pay", at=5, step_kind="tool", tool_name="pay", side_effect="external", attributes={"gen_ai.tool.call.arguments": "{}"})
    denied = (
        event("policy.decision", at=1, step_kind="policy", decision="deny", action="pay") | WHO | {"run_id": "denied", "trace_id": "denied"}
    )
    write_lake(data, spans=[*ended("whole"), *ended("denied", tool)], events=[denied])
    return data


def test_a_complete_run_exits_with_0(data: Path) -> None:
    result = invoke("contract", "whole", "--data", data)
    assert (result.exit_code, result.stdout) == (0, "whole: complete: all 6 requirements are met (event contract)\n")


def test_a_short_run_exits_with_1_and_names_the_records(data: Path) -> None:
    result = invoke("contract", "denied", "--data", data, "--format", "json")
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (found["run_id"], found["ok"], found["checked"], found["contract"]) == ("denied", False, 16, None)
    assert {(gap["event"], gap["field"]) for gap in found["gaps"]} == {
        ("tool", "retry count"), ("tool", "idempotency key"),
        ("policy", "policy version"), ("policy", "reason code"), ("policy", "enforcement effect"),
    }  # fmt: skip
    table = invoke("contract", "denied", "--data", data).stdout
    assert "5 of 16 requirements are not met" in table
    assert "tool: retry count" in table


def test_a_trace_contract_adds_its_rules(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "contract.yaml"
    path.write_text("name: payments\nversion: '2'\ntools: {forbidden: [pay]}\n")
    result = invoke("contract", "denied", "--contract", path, "--data", data, "--format", "json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["contract"]) == (1, "payments 2")
    assert [gap["problem"] for gap in found["gaps"] if gap["event"] == "tools.forbidden"] == ["must not be called"]
    assert invoke("contract", "whole", "--contract", path, "--data", data).exit_code == 0


@pytest.mark.parametrize("run", ["nothing", "e"])
def test_an_unknown_run_exits_with_2(data: Path, run: str) -> None:
    result = invoke("contract", run, "--data", data)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"there is no run {run}" in result.stderr


def test_a_wrong_contract_file_is_an_error_of_the_family_that_main_explains(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "contract.yaml"
    path.write_text("name: c\ntool: {}\n")
    result = invoke("contract", "whole", "--contract", path, "--data", data)
    assert isinstance(result.exception, StorageError)
    assert "line 2: tool: unknown key 'tool': did you mean 'tools'?" in str(result.exception)


def test_controls_list_what_passes_and_what_fails_with_the_records(data: Path) -> None:
    result = invoke(
        "controls", "--since", "all", "--data", data, "--format", "json", "--control", "denied_not_executed", "--control", "runs_end"
    )
    denied, end = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (denied["state"], denied["checked"], denied["failed"], end["state"]) == ("fail", 1, 1, "pass")
    assert denied["reference"]
    assert (denied["evidence"][0]["run_id"], denied["evidence"][0]["problem"]) == ("denied", "the policy denied it")
    table = invoke("controls", "--since", "all", "--data", data, "--control", "denied_not_executed").stdout
    assert "No action ran that was denied" in table
    assert "the policy denied it" in table


def test_controls_that_pass_or_do_not_apply_exit_with_0(data: Path) -> None:
    arguments = ("controls", "--data", data, "--control", "runs_end", "--control", "approval_by_another", "--format", "csv")
    result = invoke(*arguments, "--since", "all")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert result.exit_code == 0
    assert [(row["control"], row["state"], row["checked"], row["record_id"]) for row in rows] == [
        ("runs_end", "pass", "2", ""), ("approval_by_another", "not applicable", "0", ""),
    ]  # fmt: skip


def test_controls_are_narrowed_by_time_run_tenant_and_release(data: Path) -> None:
    for words in (["--run", "whole", "--tenant", "acme"], ["--release", "1.0", "--until", "2026-11-22T00:00:00Z"]):
        result = invoke("controls", "--since", "all", "--data", data, "--control", "denied_not_executed", "--format", "json", *words)
        assert (result.exit_code, json.loads(result.stdout)[0]["checked"]) == (0, 0), words


def test_controls_refuse_what_makes_no_sense(data: Path) -> None:
    assert isinstance(invoke("controls", "--data", data, "--control", "nothing").exception, StorageError)
    assert isinstance(invoke("controls", "--data", data, "--controls", data / "none").exception, StorageError)
    unknown = invoke("controls", "--data", data, "--run", "nothing")
    assert unknown.exit_code == 2
    assert "there is no run nothing" in unknown.stderr
    turned = invoke("controls", "--data", data, "--since", "2026-11-22T00:00:00Z", "--until", "2026-11-21T00:00:00Z")
    assert turned.exit_code == 2
    assert "is after --until" in turned.stderr


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of eight runs of the sample agent `support`, of whose refunds the second lacks its approval."""
    data = tmp_path_factory.mktemp("demo") / "data"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'sdk'}"}
    environment.pop("AUDITLAKE_GRPC_ENDPOINT", None)
    with serving() as server:
        words = ["-m", "cli.demo.support", "--endpoint", server.endpoint, "--runs", "8", "--pace", "0", "--seed", "5"]
        subprocess.run([sys.executable, *words], cwd=ROOT, env=environment, check=True, timeout=60)
        requests = [(path.removeprefix("/v1/"), request) for path in ("/v1/traces", "/v1/logs") for request in server.decoded(path)]
    return seal(data, requests, tenant="northwind")


def test_the_refund_of_the_sample_agent_without_approval_is_found(demo: Path) -> None:
    """And nothing else: every other refund has its decision and its approval by the shift lead."""
    names = ("policy_before_side_effect", "approval_before_execution", "approval_by_another", "denied_not_executed", "retries_idempotent")
    words = [word for name in names for word in ("--control", name)]
    result = invoke("controls", "--since", "all", "--data", demo, "--format", "json", *words)
    found = {control["name"]: control for control in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert {name: control["state"] for name, control in found.items()} == {
        "policy_before_side_effect": "pass", "approval_before_execution": "fail", "approval_by_another": "pass",
        "denied_not_executed": "pass", "retries_idempotent": "not applicable",
    }  # fmt: skip
    (row,) = found["approval_before_execution"]["evidence"]
    assert (row["tool_name"], row["problem"]) == ("issue_refund", "no approval of it before it ran")
    assert found["approval_before_execution"]["checked"] >= 2
    assert invoke("contract", row["run_id"], "--data", demo).exit_code in {0, 1}


def test_an_answer_that_lacks_a_damaged_file_is_no_yes(tmp_path: Path) -> None:
    """What is gone could be what fails."""
    write_lake(tmp_path, spans=ended("whole"))
    (bad,) = write_lake(tmp_path, spans=ended("lost"))
    (tmp_path / bad.path).write_bytes(b"PAR1 not")
    for arguments in (("contract", "whole"), ("controls", "--since", "all", "--control", "runs_end")):
        result = invoke(*arguments, "--data", tmp_path, "--format", "json")
        assert result.exit_code == 1, result.stdout
        assert bad.path in result.stderr
        assert json.loads(result.stdout)
