"""`auditlake redact`: text in, what may be stored out."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import typer
from typer.testing import CliRunner

from cli.commands import redact

APP = typer.Typer(pretty_exceptions_enable=False)
APP.callback()(lambda: None)
redact.register(APP)


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No otel-config.yaml nearby, and no logging configuration left behind."""
    monkeypatch.chdir(tmp_path)
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def run(text: str | bytes, *options: str, code: int = 0) -> tuple[str, str]:
    """Run the command; returns what it wrote to standard output and error."""
    result = CliRunner().invoke(APP, ["redact", *options], input=text)
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


def test_text_goes_through_the_default_policy_and_nothing_is_added() -> None:
    """Bytes that are no UTF-8 stay as they are."""
    assert run("hi jane@example.com\n\n")[0] == "hi <EMAIL_ADDRESS>\n\n"
    result = CliRunner().invoke(APP, ["redact"], input=b"\xff jane@example.com")
    assert result.stdout_bytes == b"\xff <EMAIL_ADDRESS>"


def test_explain_names_rule_place_and_score() -> None:
    """And never the text that was found."""
    out, _ = run("é jane@example.com", "--explain")
    assert out.splitlines() == ["é <EMAIL_ADDRESS>", "", "EMAIL_ADDRESS  2–18  score 1.00  EmailRecognizer"]
    assert run("all fine\n", "--explain")[0] == "all fine\n\nnothing found\n"


def test_jsonl_gives_a_line_for_a_line() -> None:
    """Findings as offsets in code points of the input; keys decide like in the collector."""
    lines = [
        {"text": "é😀 jane@example.com"},
        {"text": "hunter2", "key": "db.password"},
        {"text": '{"card": 4111111111111111}', "key": None},
        {"text": "nothing", "key": "k"},
    ]
    out, _ = run("\n".join(map(json.dumps, lines)), "--jsonl")
    answers = [json.loads(line) for line in out.splitlines()]
    assert [answer["text"] for answer in answers] == ["é😀 <EMAIL_ADDRESS>", "<BLOCKED_KEY>", '{"card": "<CREDIT_CARD>"}', "nothing"]
    assert answers[0]["findings"] == [{"entity": "EMAIL_ADDRESS", "start": 3, "end": 19, "score": 1.0, "rule": "EmailRecognizer"}]
    assert [(each["entity"], each["start"], each["end"]) for each in answers[1]["findings"]] == [("BLOCKED_KEY", 0, 7)]
    assert [(each["entity"], each["start"], each["end"]) for each in answers[2]["findings"]] == [("CREDIT_CARD", 9, 25)]
    assert answers[3]["findings"] == []


def test_the_key_option_is_the_attribute_key() -> None:
    """Identity keys are pseudonymised here too."""
    assert run("hunter2", "--key", "password")[0] == "<BLOCKED_KEY>"
    assert run("jane@example.com", "--key", "user.id")[0].startswith("<EMAIL_ADDRESS:")


def test_the_policy_comes_from_the_configuration(tmp_path: Path) -> None:
    """`--config`, else ./otel-config.yaml, else the built-in policy."""
    config = tmp_path / "other.yaml"
    config.write_text(
        "receivers: {otlp: {protocols: {http: {endpoint: '127.0.0.1:0'}}}}\n"
        "processors: {redaction: {blocked_values: ['Project [A-Z]+']}}\n"
        f"exporters: {{parquet: {{path: {tmp_path}/data}}}}\n"
        "service: {pipelines: {logs: {receivers: [otlp], processors: [redaction], exporters: [parquet]}}}\n"
    )
    assert run("Project APOLLO", "--config", str(config))[0] == "<BLOCKED_VALUE>"
    assert run("Project APOLLO")[0] == "Project APOLLO"


@pytest.mark.parametrize("line", ["canary {", '["canary"]', '{"text": 1, "x": "canary"}', '{"text": "canary", "key": 1}'])
def test_a_bad_line_ends_the_command_without_repeating_it(line: str) -> None:
    """One clear line with its number; input never appears in an error."""
    out, err = run(f'{{"text": "fine"}}\n{line}\n', "--jsonl", code=2)
    assert json.loads(out)["text"] == "fine"
    assert "line 2" in err
    assert "canary" not in out + err


def test_a_policy_that_cannot_be_loaded_is_one_line(tmp_path: Path) -> None:
    """With the remedy."""
    policy = "redaction: {presidio: {nlp_engine: spacy, nlp_model: ./absent}}"
    config = (
        "receivers: {otlp: {protocols: {http: {endpoint: localhost:0}}}}\n"
        f"processors: {{{policy}}}\nexporters: {{parquet: {{path: lake}}}}\n"
        "service: {pipelines: {traces: {receivers: [otlp], processors: [redaction], exporters: [parquet]}}}\n"
    )
    (tmp_path / "otel-config.yaml").write_text(config)
    assert run("hello Jane", code=2)[1].startswith(f"auditlake: cannot load the spaCy model: {tmp_path}/absent (install it")
