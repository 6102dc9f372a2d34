"""`auditlake export --fixture`: the files it leaves, that they are replayed as they say, and its messages."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import typer
from typer.testing import CliRunner, Result

from cli.commands import export
from collector.replay import replay
from tests.collector.otlp_samples import NOW_NS, traces
from tests.lake_builder import model, span, write_lake
from tests.storage.test_fixtures import sealed

RUN = "01" * 16
ATTRIBUTES = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini", "gen_ai.usage.input_tokens": 12}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one call, sent with a token of the tenant acme."""
    sent = traces({"name": "chat", "attributes": ATTRIBUTES}).SerializeToString()
    return sealed(tmp_path_factory.mktemp("export") / "lake", [("traces", sent)], tenant="acme")


@pytest.fixture(autouse=True)
def logging_of_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def invoke(*arguments: str | Path) -> Result:
    app = typer.Typer()
    export.register(app)
    app.callback()(lambda: None)
    return CliRunner().invoke(app, ["export", *(str(argument) for argument in arguments)])


def test_a_fixture_is_requests_an_expectation_and_how_to_replay_them(data: Path, tmp_path: Path) -> None:
    """And a fixture of the replayed run is the fixture."""
    one, two = tmp_path / "one", tmp_path / "two"
    result = invoke("--fixture", RUN, "--data", data, "-o", one)
    assert (result.exit_code, result.stdout) == (0, "")
    assert sorted(path.name for path in one.iterdir()) == ["README.md", "expected.json", "traces.json"]
    (span,) = json.loads((one / "traces.json").read_text())["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert (span["traceId"], span["startTimeUnixNano"]) == (RUN, str(NOW_NS - 2_000_000))
    assert {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "12"}} in span["attributes"]
    readme = (one / "README.md").read_text()
    assert "gave exactly `expected.json`" in readme
    assert "The tenant (acme) was given by the token" in readme
    replay(tmp_path / "lake", {"traces": json.loads((one / "traces.json").read_text())}, received_ns=NOW_NS)
    invoke("--fixture", RUN[:6], "--data", tmp_path / "lake", "-o", two)
    for name in ("traces.json", "expected.json"):
        assert (one / name).read_text() == (two / name).read_text()


def test_the_requests_go_to_standard_output_one_a_line(data: Path) -> None:
    lines = invoke("--fixture", RUN, "--data", data, "--format", "otlp-json").stdout.splitlines()
    assert [list(json.loads(line)) for line in lines] == [["resourceSpans"]]


def test_the_expectation_goes_to_standard_output_and_a_folder_that_cannot_be_written_is_said(data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = invoke("--fixture", RUN, "--data", data, "-o", tmp_path / "file")
    assert refused.exit_code == 2
    assert "cannot be written" in refused.stderr
    expected = json.loads(invoke("--fixture", RUN, "--data", data, "--format", "expected").stdout)
    assert [step["record_id"] for step in expected["steps"]] == ["step-1"]
    assert expected["run"]["tenant"] == "acme"


def test_what_this_version_reads_otherwise_is_said(tmp_path: Path) -> None:
    """A lake that was written by a version that read the tokens otherwise: the columns that differ are named."""
    said = {name: str(value) for name, value in ATTRIBUTES.items()}
    write_lake(
        tmp_path / "lake",
        spans=[model("chat", run=RUN, trace=RUN, id="02" * 8, tokens=(99, 10), dialect="otel-genai", agent_name=None, attributes=said)],
    )
    result = invoke("--fixture", RUN, "--data", tmp_path / "lake", "-o", tmp_path / "fixture")
    assert result.exit_code == 0
    assert "input_tokens" in result.stderr
    assert "**Not the same any more:**" in (tmp_path / "fixture/README.md").read_text()


def test_an_unknown_run_exits_with_1(data: Path) -> None:
    result = invoke("--fixture", "nothing", "--data", data)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "auditlake runs" in result.stderr


@pytest.mark.parametrize(
    ("attributes", "warned"),
    [
        ({"card <CREDIT_CARD>": "x"}, True),
        ({"gen_ai.tool.call.arguments": '{"a": {"<EMAIL_ADDRESS>": "vip"}}'}, True),
        ({"gen_ai.tool.call.arguments": '{"to": "<EMAIL_ADDRESS>", "b": 1}', "to": "<EMAIL_ADDRESS>"}, False),
    ],
)
def test_keys_that_redaction_changed_are_said(tmp_path: Path, attributes: dict[str, str], warned: bool) -> None:
    """A collector takes the placeholder in a key for what the value is."""
    write_lake(tmp_path / "lake", spans=[span("tool", trace="c" * 32, id="d" * 16, run="r", step_kind="tool", attributes=attributes)])
    result = invoke("--data", tmp_path / "lake", "--fixture", "r", "-o", tmp_path / "fx")
    assert ("replaced parts of keys" in result.stderr) is warned
    assert ("Redaction will change it again" in (tmp_path / "fx/README.md").read_text()) is warned
