"""What Overview asks the lake for."""

from dataclasses import dataclass
from datetime import timedelta

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
    summary: Answer
    outcomes: Answer
    freshness: Answer
    ingest: Answer
    audit: Answer
    agents: Answer
    alerts: Answer
    latency: dict[str, Answer]
    cost_agents: Answer
    cost_models: Answer
    redactions: Answer

    @property
    def nothing(self) -> bool:
        """Whether the lake has never received anything."""
        return self.freshness.first.get("last_sealed_at") is None and not self.summary.first.get("runs") and not self.agents.rows


def load(context: Context, window: Window) -> Overview:
    """Ask everything; what the lake already answered for its version is not asked again."""
    data, bucket = context.data, {"bucket_seconds": window.bucket_seconds}
    tick = from_seconds(context.clock() // 10_000_000_000 * 10)  # ages are judged every ten seconds
    recent = tick - timedelta(seconds=RECENT_SECONDS)
    agents_since = min(window.start, tick - timedelta(days=1))
    alerts_since = from_seconds(context.clock() // 86_400_000_000_000 * 86_400) - timedelta(days=ALERT_DAYS)
    return Overview(
        window=window,
        summary=reads.in_window(data, "overview_summary", window, previous=window.previous),
        outcomes=reads.in_window(data, "overview_outcomes", window, **bucket),
        freshness=reads.in_window(data, "overview_freshness", window, recent=recent, recent_seconds=RECENT_SECONDS),
        ingest=reads.in_window(data, "overview_ingest", window, **bucket),
        audit=reads.in_window(data, "overview_audit", window, write_class="audit", **bucket),
        agents=reads.ask(data, "overview_agents", from_time=agents_since, start=agents_since, now=tick),
        alerts=reads.ask(data, "overview_alerts", from_time=alerts_since, start=alerts_since),
        latency={
            "runs": reads.in_window(data, "overview_latency_runs", window, **bucket),
            "model calls": reads.in_window(data, "overview_latency_steps", window, kind="model", **bucket),
            "tool calls": reads.in_window(data, "overview_latency_steps", window, kind="tool", **bucket),
        },
        cost_agents=reads.in_window(data, "overview_cost_agents", window),
        cost_models=reads.in_window(data, "overview_cost_models", window),
        redactions=reads.in_window(data, "overview_redactions", window),
    )
