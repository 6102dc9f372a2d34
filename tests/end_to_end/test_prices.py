"""A price file in a real collector: what is sealed is priced by it, and by its successor once SIGHUP made that known."""

import os
import signal
from pathlib import Path

from storage.lake import Lake
from tests.collector_process import ROOT, CollectorProcess
from tests.polling import wait_until


def prices_of(collector: CollectorProcess) -> set[float]:
    """The costs of the model calls that are sealed."""
    with Lake.open(collector.data) as lake:
        return {row["cost_usd"] for row in lake.sql("SELECT cost_usd FROM model_calls WHERE cost_source = 'user'").to_pylist()}


def test_a_changed_price_file_prices_what_comes_after_the_signal(tmp_path: Path) -> None:
    captures = ROOT / "tests/captures"
    first, second = min(captures.glob("otel-genai-openai-*-traces.pb")), min(captures.glob("pydantic-ai-*-traces.pb"))
    prices = tmp_path / "prices.yaml"
    prices.write_text("prices: [{model: gpt-4o-mini*, request: 1}]")
    collector = CollectorProcess(tmp_path)
    text = collector.config.read_text().replace("  redaction: {}", "  redaction: {}\n  pricing: {file: prices.yaml}")
    collector.config.write_text(text.replace("redaction]", "redaction, pricing]"))
    with collector:
        assert collector.post("traces", first.read_bytes()).status_code == 200
        wait_until(lambda: (collector.data / "catalog.sqlite").exists() and prices_of(collector) == {1.0}, seconds=60)
        prices.write_text("prices: [{model: gpt-4o-mini*, request: -2}]")
        os.kill(collector.process.pid, signal.SIGHUP)
        wait_until(lambda: "the configuration is refused" in collector.log.read_text(), seconds=60)
        prices.write_text("prices: [{model: gpt-4o-mini*, request: 2}]")
        os.kill(collector.process.pid, signal.SIGHUP)
        wait_until(lambda: "prices loaded again" in collector.log.read_text(), seconds=60)
        assert collector.post("traces", second.read_bytes()).status_code == 200
        wait_until(lambda: prices_of(collector) == {1.0, 2.0}, seconds=60)
