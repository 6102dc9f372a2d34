"""What Overview asks the lake for."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dashboards import reads
from dashboards.reads import Answer
from dashboards.views.context import Context
from dashboards.window import Window, from_seconds

RECENT_SECONDS = 60
ALERT_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The answers behind the page's panels."""

    window: Window
    runs: Answer
    freshness: Answer
    ingest: Answer
    audit: Answer
    agents: Answer
    alerts: Answer

    @property
    def nothing(self) -> bool:
        """Whether the lake has nothing to show in any window that was looked at."""
        return self.freshness.first.get("last_sealed_at") is None and not self.runs.rows and not self.agents.rows

    @property
    def summary(self) -> dict[str, Any]:
        """The runs of the window as one row; empty when there are none."""
        return next((row for row in self.runs.rows if row["part"] == "now"), {})

    @property
    def before(self) -> dict[str, Any]:
        """The same of the equally long window before."""
        return next((row for row in self.runs.rows if row["part"] == "before"), {})

    def part(self, name: str) -> list[dict[str, Any]]:
        """The rows of one part of the answer about runs: `status` or `time`."""
        return [row for row in self.runs.rows if row["part"] == name]


def load(context: Context, window: Window) -> Overview:
    """What the verdict and the tiles need; the panels below ask for the rest. What was answered for a version is not asked again."""
    data, seen, bucket = context.data, context.version, {"bucket_seconds": window.bucket_seconds}
    tick = from_seconds(context.clock() // 10_000_000_000 * 10)  # ages are judged every ten seconds
    hour = from_seconds(context.clock() // 3_600_000_000_000 * 3600)
    agents_since, alerts_since = min(window.start, hour - timedelta(days=1)), hour - timedelta(days=ALERT_DAYS)
    recent = tick - timedelta(seconds=RECENT_SECONDS)
    return Overview(
        window=window,
        runs=reads.in_window(data, "overview_runs", window, seen=seen, previous=window.previous, **bucket),
        freshness=reads.in_window(data, "overview_freshness", window, seen=seen, recent=recent, recent_seconds=RECENT_SECONDS),
        ingest=reads.in_window(data, "overview_ingest", window, seen=seen, **bucket),
        audit=reads.in_window(data, "overview_audit", window, seen=seen, write_class="audit", **bucket),
        agents=reads.ask(data, "overview_agents", from_time=agents_since, seen=seen, start=agents_since, now=tick),
        alerts=reads.ask(data, "overview_alerts", from_time=alerts_since, seen=seen, start=alerts_since),
    )


def calls(context: Context, window: Window, kind: str) -> Answer:
    """Latency of the steps of one kind."""
    bucket = window.bucket_seconds
    return reads.in_window(context.data, "overview_latency_steps", window, seen=context.version, kind=kind, bucket_seconds=bucket)


def cost(context: Context, window: Window) -> Answer:
    """Spend by agent and by model."""
    return reads.in_window(context.data, "overview_cost", window, seen=context.version)


def redactions(context: Context, window: Window) -> Answer:
    """Findings by entity and agent."""
    return reads.in_window(context.data, "overview_redactions", window, seen=context.version)
