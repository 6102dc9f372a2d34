"""`auditlake rederive`: what today's dialects and prices make of stored records stands over what was sealed."""

import json
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import structlog
import typer
from typer.testing import CliRunner, Result

from cli.commands import rederive
from collector.pricing import version
from collector.rederiving import Rederiving
from collector.sealer import seal_pending
from storage.catalog import Catalog, JoinRecord
from storage.lake import Lake
from tests.lake_builder import START_NS, Row, event, metric, span, write_lake
from tests.lake_checks import check_lake

CALL = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": "1200", "gen_ai.usage.output_tokens": "90", "gen_ai.usage.cache_read.input_tokens": "1024",
}  # fmt: skip
PRICES = "prices:\n  - {model: gpt-4o-mini, input: 1000, output: 0}\n"


@pytest.fixture(autouse=True)
def logging_of_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A lake whose rows were read when the dialects knew less: the calls are steps of no kind, their runs are their traces."""
    old = {"dialect": "otel", "dialect_version": 1, "step_kind": "other"}
    spans = [
        old_span("agent", {"gen_ai.operation.name": "invoke_agent", "auditlake.run.id": "named"}, id="agent", trace="t1", **old),
        old_span("chat", CALL, parent="agent", trace="t1", at=1, **old),
        old_span("chat", CALL, trace="t2", at=50, **old),
        old_span("plain", {}, trace="t3", at=60, **old),
    ]
    write_lake(
        tmp_path / "data", spans=spans, events=[event("policy.decision", trace="t2", attributes={}, step_kind="other", dialect="otel")]
    )
    return tmp_path / "data"


def old_span(name: str, attributes: dict[str, str], **columns: Any) -> Row:
    row = span(name, run=columns["trace"], **columns)
    return row | {
        "attributes": attributes,
        "resource_attributes": {"service.name": "support"},
        "latency_ms": 1000.0,
        "clock_flagged": False,
    }


def invoke(*arguments: str | Path) -> Result:
    app = typer.Typer()
    rederive.register(app)
    app.command("other")(lambda: None)
    return CliRunner().invoke(app, ["rederive", *(str(argument) for argument in arguments)])


def rows(data: Path, sql: str) -> list[Row]:
    with Lake.open(data) as lake:
        found: list[Row] = lake.sql(sql).to_pylist()
        return found


def sealed(data: Path) -> dict[str, str]:
    """Digests of the files of sealed rows."""
    files = [path for table in ("spans", "events") for path in (data / "data" / table).rglob("*.parquet")]
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in files}


def test_rows_are_read_again_and_sealed_ones_stay_as_they_are(data: Path) -> None:
    before = sealed(data)
    assert rows(data, "SELECT sum(model_calls)::INT AS calls FROM runs") == [{"calls": 0}]
    result = invoke("--data", data)
    assert result.exit_code == 0, result.stderr
    found = rows(data, "SELECT name, step_kind, input_tokens, cost_usd, price_version, derived_from FROM spans ORDER BY start_ns")
    assert [(row["name"], row["step_kind"], row["derived_from"]) for row in found] == [
        ("agent", "agent", "overlay"), ("chat", "model", "overlay"), ("chat", "model", "overlay"), ("plain", "run", "overlay"),
    ]  # fmt: skip
    assert [row["cost_usd"] for row in found[1:3]] == pytest.approx([0.0001572] * 2)
    assert found[1]["price_version"] == version()
    assert before.items() <= sealed(data).items()
    events = rows(data, "SELECT * FROM access_log ORDER BY time")
    assert [(event["action"], event["outcome"]) for event in events] == [("records.rederive", "requested"), ("records.rederive", "success")]
    check_lake(data)


def test_a_run_that_is_killed_behind_its_first_change_was_announced(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What readers see has changed: who asked for it is durable before that, and sealed by whoever seals next."""

    class Killed(BaseException):
        """The process died here."""

    def finish(self: Rederiving) -> None:
        self._publish()
        raise Killed

    monkeypatch.setattr(Rederiving, "finish", finish)
    with pytest.raises(Killed):
        rederive.rederive(config=None, data=data)
    assert rows(data, "SELECT count(*)::INT AS n FROM spans WHERE derived_from = 'overlay'") == [{"n": 4}]
    with closing(Catalog.open(data)) as catalog:
        seal_pending(data, catalog)
    assert [event["outcome"] for event in rows(data, "SELECT outcome FROM access_log")] == ["requested"]
    monkeypatch.undo()
    assert "0 changed" in invoke("--data", data).stderr
    check_lake(data)


def test_a_second_run_finds_nothing_left_to_change(data: Path) -> None:
    """And what auditlake wrote about itself, the access of the first, is not read."""
    invoke("--data", data)
    again = invoke("--data", data)
    assert "0 changed, 0 traces" in again.stderr
    assert len(list((data / "data" / "derivations").rglob("*.parquet"))) == 1


def test_a_trace_whose_records_name_another_run_now_belongs_to_it(data: Path) -> None:
    """Also its records that name none; and what it was taken to be before is forgotten."""
    catalog = Catalog.open(data)
    stale = JoinRecord(trace_id="t1", key="run:earlier", role="same", ns=START_NS)
    entry = catalog.entries()[0]
    catalog.close()
    write_lake(data, spans=[])
    catalog = Catalog.open(data)
    record = type(entry)(**{name: getattr(entry, name) for name in entry.__dataclass_fields__} | {"entry": 99, "received": 0, "stored": 0})
    catalog.commit_entry(record, [], runs={}, trace_runs={"t1": "earlier"}, joins=[stale])
    catalog.close()
    assert "1 traces changed their run" in invoke("--data", data).stderr
    found = {row["run_id"]: row["steps"] for row in rows(data, "SELECT run_id, steps FROM runs")}
    assert found["named"] == 2
    assert not {"earlier", "t1"} & found.keys()
    with Lake.open(data) as lake:
        assert [join.key for join in lake.catalog.joins(traces=["t1"])] == ["run:named"]
        assert lake.catalog.run_span("named") is not None


def test_a_dry_run_says_what_would_change_and_changes_nothing(data: Path) -> None:
    result = invoke("--data", data, "--dry-run", "--format", "json")
    told = {(row["dialect"], row["column"]): row["rows"] for row in json.loads(result.stdout)}
    assert told["otel-genai", "input_tokens"] == 2
    assert told["otel-genai", "cost_usd"] == 2
    assert "would change" in result.stderr
    assert not (data / "data" / "derivations").exists()
    assert not (data / "rederive.lock").exists()


def test_only_rows_of_the_time_and_dialect_that_were_asked_for_change(data: Path) -> None:
    invoke("--data", data, "--since", "2026-11-21T12:00:30Z", "--until", "2026-11-21T12:00:55Z", "--dialect", "otel-genai")
    found = rows(data, "SELECT name, derived_from FROM spans ORDER BY start_ns")
    assert [row["derived_from"] for row in found] == ["sealed", "sealed", "overlay", "sealed"]


def test_only_changed_leaves_rows_of_todays_versions_out(data: Path) -> None:
    assert invoke("--data", data).exit_code == 0
    assert invoke("--data", data, "--only-changed").stderr.startswith("0 rows read again")


def test_a_price_file_of_the_configuration_prices_old_calls_too(data: Path, tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text(PRICES)
    config = configuration(tmp_path)
    assert invoke("--data", data, "--config", config, "--dialect", "otel-genai").exit_code == 0
    (row,) = rows(data, "SELECT DISTINCT cost_usd, cost_source, price_version FROM model_calls")
    assert (row["cost_usd"], row["cost_source"]) == (pytest.approx(1.2), "user")
    assert row["price_version"].startswith("user ")
    (tmp_path / "prices.yaml").write_text(PRICES.replace("1000", "2000"))
    invoke("--data", data, "--config", config, "--only-changed")
    assert rows(data, "SELECT DISTINCT cost_usd FROM model_calls") == [{"cost_usd": pytest.approx(2.4)}]
    check_lake(data)


def test_a_wrong_price_file_or_dialect_is_refused_before_anything_is_read(data: Path, tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text("prices:\n  - {model: m, inptu: 1}\n")
    refused = invoke("--data", data, "--config", configuration(tmp_path))
    assert refused.exit_code == 2
    assert "prices.yaml" in refused.stderr
    assert "line 2" in refused.stderr
    unknown = invoke("--data", data, "--dialect", "klingon")
    assert (unknown.exit_code, "otel-genai" in unknown.stderr) == (2, True)


def configuration(folder: Path) -> Path:
    path = folder / "otel-config.yaml"
    path.write_text(
        "receivers: {otlp: {protocols: {http: {}}}}\n"
        "processors: {redaction: {}, pricing: {file: prices.yaml}}\n"
        "exporters: {parquet: {}}\n"
        "service: {pipelines: {traces: {receivers: [otlp], processors: [redaction, pricing], exporters: [parquet]}}}\n"
    )
    return path


def test_points_of_metrics_are_read_again_too(tmp_path: Path) -> None:
    """They have fewer columns; a second time there is nothing left to change."""
    told = {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini", "gen_ai.operation.name": "chat"}
    old = {"dialect": "otel", "dialect_version": 1, "clock_flagged": False, "resource_attributes": {"service.name": "support"}}
    data = tmp_path / "data"
    write_lake(data, metrics=[metric("gen_ai.client.token.usage", attributes=told, **old)])
    for changed in ("overlay", "overlay"):
        assert invoke("--data", data).exit_code == 0
        (row,) = rows(data, "SELECT provider, model, operation, agent_name, dialect, derived_from FROM metrics")
        wanted = ("openai", "gpt-4o-mini", "chat", "support", "otel-genai", changed)
        assert tuple(row.values()) == wanted
    assert "0 would change" in invoke("--data", data, "--dry-run").stderr
    check_lake(data)
