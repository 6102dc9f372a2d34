"""What cannot work is refused in one clear line with the remedy and exit 2, and nothing else is harmed."""

import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from storage.wal import WalWriter
from tests.command_line import invoked
from tests.ports import free_ports

ROOT = Path(__file__).parents[2]

CONFIG = """\
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{grpc}"}}, http: {{endpoint: "127.0.0.1:{http}"}}}}}}}}
processors: {{redaction: {{}}}}
exporters: {{parquet: {{path: {data}, node: n}}}}
extensions: {{health_check: {{endpoint: "127.0.0.1:{health}"}}}}
service:
  extensions: [health_check]
  pipelines: {{traces: {{receivers: [otlp], processors: [redaction], exporters: [parquet]}}}}
"""


@pytest.fixture
def ports() -> list[int]:
    """Three ports at which nobody listens."""
    return free_ports(3)


ANY_PORTS: Final = [0, 0, 0]
"""Where nobody else can be."""


def auditlake(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-m", "cli", *words], cwd=folder, capture_output=True, text=True, timeout=60, env=environment)


def configured(folder: Path, ports: list[int], data: str = "lake") -> None:
    """Write a configuration with these ports."""
    text = CONFIG.format(grpc=ports[0], http=ports[1], health=ports[2], data=data)
    (folder / "otel-config.yaml").write_text(text)


def refusal(run: subprocess.CompletedProcess[str], *words: str) -> None:
    """The one line names what is wrong, and no traceback is shown."""
    assert run.returncode == 2, run.stderr
    assert "Traceback" not in run.stderr
    lines = [line for line in run.stderr.splitlines() if line.startswith("auditlake:")]
    assert len(lines) == 1, run.stderr
    for word in words:
        assert word in run.stderr, run.stderr


def test_a_taken_port(tmp_path: Path, ports: list[int]) -> None:
    configured(tmp_path, ports)
    with closing(socket.socket()) as holder:
        holder.bind(("127.0.0.1", ports[1]))
        holder.listen()
        refusal(auditlake(tmp_path, "collect"), str(ports[1]), "in use")
        refusal(invoked(tmp_path, "validate"), str(ports[1]), "in use")
    assert not (tmp_path / "lake/data").exists()


def test_a_data_directory_that_another_collector_holds(tmp_path: Path, ports: list[int]) -> None:
    configured(tmp_path, ports)
    (tmp_path / "lake").mkdir()
    holder = WalWriter(tmp_path / "lake", "n/collector", first_entry=0)
    try:
        refusal(auditlake(tmp_path, "collect"), str(os.getpid()), "n/collector")
    finally:
        holder.close()


def test_a_data_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    configured(tmp_path, ANY_PORTS, data="file/lake")
    refusal(auditlake(tmp_path, "collect"), "file")
    refusal(invoked(tmp_path, "validate"), "file", "path")


def test_a_wrong_key_in_the_configuration(tmp_path: Path) -> None:
    configured(tmp_path, ANY_PORTS)
    file = tmp_path / "otel-config.yaml"
    file.write_text(file.read_text().replace("endpoint:", "endpiont:", 1))
    for command in ("collect", "validate", "up", "runs"):
        refusal(
            auditlake(tmp_path, command) if command == "up" else invoked(tmp_path, command), "line 1", "endpiont", "did you mean 'endpoint'"
        )
    assert not (tmp_path / "lake").exists()


def test_a_lake_that_is_not_there(tmp_path: Path) -> None:
    refusal(invoked(tmp_path, "runs", "--data", "nowhere"), "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_model_that_is_missing(tmp_path: Path) -> None:
    """Known before requests are taken, with the remedy; nothing is downloaded, and nothing runs without the model instead."""
    configured(tmp_path, ANY_PORTS)
    config = tmp_path / "otel-config.yaml"
    policy = "redaction: {presidio: {nlp_engine: spacy, nlp_model: en_core_web_lg}}"
    config.write_text(config.read_text().replace("redaction: {}", policy))
    for run in (auditlake(tmp_path, "collect"), invoked(tmp_path, "validate")):
        refusal(run, "cannot load the spaCy model: en_core_web_lg", "python -m spacy download en_core_web_lg")


def test_a_file_of_recognizers_that_presidio_refuses(tmp_path: Path) -> None:
    """Looked for beside the configuration; the error names the file, the recognizer and the field."""
    folder = tmp_path / "etc"
    folder.mkdir()
    configured(folder, ANY_PORTS)
    config = folder / "otel-config.yaml"
    config.write_text(config.read_text().replace("redaction: {}", "redaction: {presidio: {recognizers: [own.yaml]}}"))
    own = folder / "own.yaml"
    own.write_text("recognizers: [{name: Mine, supported_entity: X, patterns: [{name: p, regex: a, score: 7}]}]")
    refusal(auditlake(tmp_path, "collect", "--config", str(config)), str(own), "'Mine'", "patterns: ", "between 0 and 1")
    own.write_text("recognizers: [{name: Mine, supported_entity: X, patterns: [{name: p, regex: '(', score: 1}]}]")
    refusal(invoked(tmp_path, "validate", str(config)), str(own), "Mine: patterns[0].regex", "line 2")
