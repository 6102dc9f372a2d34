"""No leak anywhere: canaries through every field of every signal and every error path, then a search through everything that is left.

One collector (debug log, vault, content capture, faults on request) lives through it all: wrong requests over both protocols, failing
stages, a killed scanner, kill -9, a damaged WAL; then alerts, queries and commands. A harmless control word beside each canary must be
found in each field of each table: a search that finds nothing because nothing was stored proves nothing.
"""

import base64
import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from collector.signals import SIGNALS, TRACES
from storage.catalog import Catalog
from storage.compactor import compact
from tests.alerts.fakes import webhook
from tests.canaries import Canaries, canaries, control
from tests.canary_requests import HttpSender, Planted, as_json, every_field, marked, send_over_grpc, with_unknown_fields
from tests.collector.otlp_fields import with_record
from tests.collector.otlp_samples import set_attribute
from tests.collector_process import ROOT, CollectorProcess, settle
from tests.command_line import invoked
from tests.leak_scan import forms, scan
from tests.polling import wait_until

MAX_BODY_BYTES = 1 << 20
POLICY = """\
  redaction:
    actions: {entities: {EMAIL_ADDRESS: vault}}
    vault: {enabled: true}
    summary: debug
    content: {rules: [{tenant: "hashed*", capture: hash}, {tenant: "cut*", capture: truncated}]}
"""
RULES = """\
groups:
  - name: canaries
    interval: 1s
    rules:
      - alert: Canary
        expr: SELECT 1 AS value, '{text}' AS who, name AS what FROM spans WHERE name LIKE '%{domain}%' OR true LIMIT 1
        labels: {{severity: critical, team: "{text}"}}
        annotations: {{summary: "{{{{ labels.who }}}} and {text}"}}
"""
TABLES = {"traces": "spans", "logs": "events", "metrics": "metrics"}
KINDS = canaries().needles


@dataclass
class Evidence:
    """What is left when all is over."""

    folder: Path
    canaries: Canaries
    planted: Planted
    answers: list[bytes] = field(default_factory=list)  # of the collector, of commands, to webhooks

    @property
    def data(self) -> Path:
        return self.folder / "data"


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    found = Evidence(tmp_path_factory.mktemp("canary"), canaries(), every_field(canaries()))
    collector = prepared(found.folder)
    with collector:
        wait_until(collector.ready, seconds=120)
        send_everything(collector, found)
        send_content(collector, found)
        lose_the_scanner(collector, found)
        wait_until(lambda: not list((found.data / "wal").rglob("*.wal")), seconds=60)
        crash_with_a_damaged_segment(collector, found)
        collector.start()
        notify(collector, found)
        assert collector.terminate(30) == 0
    settle(found.data)
    run_commands(collector, found)
    compact(found.data, now_ns=2 * 10**18)
    return found


def prepared(folder: Path) -> CollectorProcess:
    """A collector with all that could leak switched on; temporary files go into the folder."""
    collector = CollectorProcess(folder, interval="500ms")
    text = collector.config.read_text().replace("  redaction: {}\n", POLICY)
    text = text.replace('http: {endpoint: "127.0.0.1:0"}', f'http: {{endpoint: "127.0.0.1:0", max_request_body_size: {MAX_BODY_BYTES}}}')
    text = text.replace('grpc: {endpoint: "127.0.0.1:0"}', 'grpc: {endpoint: "127.0.0.1:0", max_recv_msg_size_mib: 1}')
    collector.config.write_text(text)
    collector.command[2] = "tests.canary_collector"
    (folder / "tmp").mkdir()
    key = base64.b64encode(bytes(range(32))).decode()
    collector.environ |= {
        "TMPDIR": str(folder / "tmp"),
        "AUDITLAKE_VAULT_KEY": key,
        "GRPC_VERBOSITY": "debug",
        "AUDITLAKE_TOKEN": canaries().token(1),
    }
    return collector


def send_everything(collector: CollectorProcess, found: Evidence) -> None:
    """Every field over every protocol, then all that a sender can get wrong, then all that can fail."""
    sender = HttpSender(collector.ports["http"], found.canaries)
    for name, message in found.planted.requests.items():
        assert sender.post(f"/v1/{name}", message.SerializeToString()) == 200
    for name, message in marked(found.planted.requests, "json").items():
        body = json.dumps(as_json(message)).encode()
        assert sender.post(f"/v1/{name}", body, content_type="application/json") == 200
    assert sender.post("/v1/traces", with_unknown_fields(found.canaries).SerializeToString()) == 200
    sender.send_what_is_wrong(MAX_BODY_BYTES)
    sender.send_what_fails()
    found.answers += sender.answers
    found.answers += send_over_grpc(collector.ports["grpc"], marked(found.planted.requests, "grpc"), found.canaries, MAX_BODY_BYTES)


def send_content(collector: CollectorProcess, found: Evidence) -> None:
    """Prompts of tenants whose content is hashed or cut."""
    message = TRACES.request()
    for tenant in ("hashed", "cut"):
        group = with_record(TRACES)
        set_attribute(group.resource_spans[0].resource.attributes, "tenant", f"{tenant} {found.canaries.mail(0)}")
        span = group.resource_spans[0].scope_spans[0].spans[0]
        span.name = f"content of {tenant}"
        set_attribute(span.attributes, "gen_ai.input.messages", found.canaries.text(0) * 40)
        message.MergeFrom(group)
    assert collector.post("traces", message.SerializeToString()).status_code == 200


def lose_the_scanner(collector: CollectorProcess, found: Evidence) -> None:
    """Kill the scanner while it has work."""
    message = TRACES.request()
    for number in range(400):
        group = with_record(TRACES)
        group.resource_spans[0].scope_spans[0].spans[0].name = f"{found.canaries.text(number)} again"
        message.MergeFrom(group)
    sending = subprocess.Popen([sys.executable, "-c", SEND, str(collector.ports["http"])], stdin=subprocess.PIPE)
    assert sending.stdin is not None
    sending.stdin.write(message.SerializeToString())
    sending.stdin.close()
    for scanner in collector.scanners():
        scanner.kill()
    assert sending.wait(60) == 0


SEND = """\
import sys, httpx
url, headers = f"http://127.0.0.1:{sys.argv[1]}/v1/traces", {"content-type": "application/x-protobuf"}
sys.exit(httpx.post(url, content=sys.stdin.buffer.read(), headers=headers, timeout=60).status_code != 200)
"""


def crash_with_a_damaged_segment(collector: CollectorProcess, found: Evidence) -> None:
    """Kill the collector with something in its WAL, and damage one record of it."""
    for scanner in collector.scanners():
        scanner.send_signal(signal.SIGKILL)
    for number in range(3):
        message = with_record(TRACES)
        message.resource_spans[0].scope_spans[0].spans[0].name = f"crash {number} {found.canaries.text(number)}"
        assert collector.post("traces", message.SerializeToString()).status_code == 200
    collector.kill()
    segment = max((found.data / "wal").rglob("*.*"), key=lambda path: path.stat().st_size)
    content = bytearray(segment.read_bytes())
    assert len(content) > 400, segment
    content[len(content) // 2] ^= 0x10
    segment.write_bytes(content)


def notify(collector: CollectorProcess, found: Evidence) -> None:
    """Have an alert fire whose rule is full of canaries."""
    rules = found.folder / "rules.yaml"
    rules.write_text(RULES.format(text=found.canaries.text(7), domain=found.canaries.domain))
    with webhook() as taken:
        text = collector.config.read_text().replace("extensions: [health_check]", "extensions: [health_check, alerts]")
        receivers = f'receivers: [{{name: hook, webhook_configs: [{{url: "{taken.url}"}}]}}]'
        text = text.replace("extensions:\n", f"extensions:\n  alerts: {{rules: [{rules}], interval: 1s, {receivers}}}\n", 1)
        config = found.folder / "alerts.yaml"
        config.write_text(text)
        with (found.folder / "alerts.log").open("wb") as log:
            command = [sys.executable, "-m", "cli", "alerts", "run", "--config", str(config), "--data", str(found.data)]
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=collector.environ)
        try:
            wait_until(lambda: taken.requests, seconds=60)
        finally:
            process.terminate()
            process.wait(20)
        found.answers += [json.dumps(body).encode() for body in taken.bodies]
    rules.unlink()


def run_commands(collector: CollectorProcess, found: Evidence) -> None:
    """Commands whose arguments, files and input are full of canaries."""
    text, data = found.canaries.text(8), str(found.data)
    broken = collector.config.read_text()
    (found.folder / "broken.yaml").write_text(
        broken.replace("500ms", "${env:AUDITLAKE_TOKEN}").replace("traces:", "${env:AUDITLAKE_TOKEN}:", 1)
    )
    config = ("--config", str(collector.config))
    lines = [json.dumps({"text": text}), f'{{"text": "{text}'.replace("\n", " ")]
    commands: Sequence[tuple[int, Sequence[str], str]] = (
        (0, ("query", f"SELECT name FROM spans WHERE name = '{text}'", "--data", data), ""),
        (2, ("collect", "--config", str(found.folder / "broken.yaml")), ""),
        (2, ("redact", *config, "--jsonl"), "\n".join(lines)),
        (1, ("vault", "reveal", "0" * 24, "--reason", text, *config, "--data", data), ""),
    )
    running = [started(arguments, collector.environ) for _, arguments, _ in commands]
    wrong = (f"SELECT name::INTEGER FROM spans WHERE '{text}' IN (name, x)", f"SELECT '{text}'::INTEGER", f"SELECT '{text}' FRO spans")
    refused = [("validate", str(found.folder / "broken.yaml")), *(("query", select, "--data", data) for select in wrong)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDITLAKE_TOKEN", collector.environ["AUDITLAKE_TOKEN"])
        for words in refused:
            run = invoked(found.folder, *words)
            assert run.returncode == 2, words[0]
            found.answers += [run.stdout.encode(), run.stderr.encode()]
    for (code, arguments, given), process in zip(commands, running, strict=True):
        found.answers += process.communicate(given.encode(), timeout=120)
        assert process.returncode == code, (arguments[0], process.returncode)


def started(arguments: Sequence[str], environ: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """A command of ours, begun."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-m", "cli", *arguments], cwd=ROOT, env=environ, **pipes)


# what must not be found


@pytest.fixture(scope="module")
def places(evidence: Evidence) -> Mapping[str, list[str]]:
    """Where each canary is left."""
    return scan(evidence.folder, KINDS.values())


@pytest.mark.parametrize("kind", KINDS)
def test_no_canary_is_left_in_any_file(places: Mapping[str, list[str]], kind: str) -> None:
    """Data directory decoded (live, retired, quarantine, WAL, SQLite, vault), logs, temporary files; also encoded."""
    assert places[KINDS[kind]] == []


@pytest.mark.parametrize("kind", KINDS)
def test_no_answer_and_no_output_holds_a_canary(evidence: Evidence, kind: str) -> None:
    assert [answer for answer in evidence.answers if any(form in answer for form in forms(KINDS[kind]))] == []


# what must be found


@pytest.mark.parametrize("signal_name", SIGNALS)
def test_the_control_word_of_every_field_is_in_the_table(evidence: Evidence, signal_name: str) -> None:
    controls = evidence.planted.controls[signal_name]
    assert len(controls) > 40
    stored = table_text(evidence.data, TABLES[signal_name])
    missing = [path for number, path in controls.items() if not any(form in stored for form in forms(control(number)))]
    assert missing == []


def table_text(data: Path, table: str) -> bytes:
    """All that the live files of a table hold."""
    catalog = Catalog.open(data, read_only=True)
    try:
        files = [data / record.path for record in catalog.live_files(table)]
    finally:
        catalog.close()
    return b"".join(json.dumps(pq.read_table(path, partitioning=None).to_pylist(), default=repr).encode() for path in files)


def test_every_place_in_which_a_leak_was_looked_for_held_something(evidence: Evidence) -> None:
    """Retired and quarantined files, the vault, the state of the alerts, logs at debug level, notifications."""
    data = evidence.data
    assert list((data / "data" / ".retired").rglob("*.parquet"))
    assert len(list((data / "quarantine").iterdir())) >= 3, "a damaged record, and a batch that could not be decoded with its reason"
    assert any(path.stat().st_size > 10_000 for path in (data / "vault").iterdir())
    log = (evidence.folder / "collector-n1.log").read_text()
    for said in ("DEBUG:", "request failed", "batch quarantined", "WAL"):
        assert said in log, said
    assert any(control(7).encode() in answer for answer in evidence.answers), "the notification"
    names = table_text(data, "spans")
    for said in (
        b"unknown fields",
        b"content of hashed",
        b"<CONTENT:",
        b"TRUNCATED",
        b"<WITHHELD:",
        b"<EMAIL_ADDRESS:v1:",
        b"redaction.masked.keys",
    ):
        assert said in names, said


def test_no_process_dumped_its_core(evidence: Evidence) -> None:
    assert [path for path in [*evidence.folder.rglob("core*"), *ROOT.glob("core*")] if path.is_file()] == []
