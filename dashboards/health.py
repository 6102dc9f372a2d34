"""Is anything wrong now? The judgement at the top of Overview. Pure: rows in, findings out, worst first.

Every threshold stands here with its reason. What is not known is said as such and is never taken for good.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from dashboards import units

Row = Mapping[str, Any]
Severity = Literal["bad", "warn"]

ERROR_RATE: Final = 0.1  # a tenth of all runs failing is nobody's normal
ERROR_RATE_MIN_RUNS: Final = 10  # below this a rate says little
STALE_SECONDS: Final = 300  # records were sealed in this window, and then none for so long
AUDIT_P99_SHARE: Final = 0.99  # of the audit writes must be durable within 20 ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, in a sentence of our own words around names from the lake, and the filter that shows it."""

    severity: Severity
    text: str
    names: tuple[str, ...] = ()
    link: Mapping[str, str] = field(default_factory=dict)


def findings(
    *, alerts: Sequence[Row], agents: Sequence[Row], summary: Row, freshness: Row, audit: Sequence[Row], now: datetime
) -> list[Finding]:
    """What is wrong, worst first; empty when nothing is known to be wrong."""
    found = [*_alerts(alerts), *_agents(agents), *_ingest(freshness, now), *_runs(summary), *_audit(audit)]
    return sorted(found, key=lambda finding: finding.severity != "bad")


def _alerts(alerts: Sequence[Row]) -> list[Finding]:
    firing = [alert for alert in alerts if alert["state"] == "firing"]
    broken = [alert for alert in alerts if alert["state"] == "error"]
    found = []
    if firing:
        found.append(Finding(severity="bad", text=f"{units.plural(len(firing), 'alert')} firing", names=_names(firing, "alertname")))
    if broken:
        found.append(
            Finding(
                severity="warn", text=f"{units.plural(len(broken), 'alert rule')} cannot be evaluated", names=_names(broken, "alertname")
            )
        )
    return found


def _agents(agents: Sequence[Row]) -> list[Finding]:
    found = []
    for state, severity in (("hung", "bad"), ("down", "bad"), ("late", "warn")):
        those = [agent for agent in agents if agent["state"] == state]
        if those:
            found.append(
                Finding(
                    severity="bad" if severity == "bad" else "warn",
                    text=f"{units.plural(len(those), 'agent')} {state}",
                    names=_names(those, "agent_name"),
                )
            )
    return found


def _ingest(freshness: Row, now: datetime) -> list[Finding]:
    found = []
    if freshness.get("unaccounted"):
        found.append(Finding(severity="bad", text=f"{units.count(freshness['unaccounted'])} received records are not accounted for"))
    if freshness.get("quarantined"):
        found.append(Finding(severity="bad", text=f"{units.plural(int(freshness['quarantined']), 'record')} in quarantine"))
    last = freshness.get("last_sealed_at")
    if last is not None and freshness.get("received") and (now - last).total_seconds() > STALE_SECONDS:
        found.append(Finding(severity="warn", text=f"nothing has arrived for {units.duration((now - last).total_seconds() * 1000)}"))
    return found


def _runs(summary: Row) -> list[Finding]:
    ended, failed = summary.get("ended") or 0, summary.get("failed") or 0
    found = []
    if ended >= ERROR_RATE_MIN_RUNS and failed / ended > ERROR_RATE:
        found.append(Finding(severity="warn", text=f"{units.share(failed, ended)} of the runs failed", link={"statuses": "error"}))
    if summary.get("abandoned"):
        found.append(
            Finding(severity="warn", text=f"{units.plural(summary['abandoned'], 'run')} abandoned", link={"statuses": "abandoned"})
        )
    if summary.get("withheld"):
        found.append(Finding(severity="warn", text=f"{units.plural(int(summary['withheld']), 'value')} withheld: redaction failed on them"))
    return found


def _audit(audit: Sequence[Row]) -> list[Finding]:
    writes, within = sum(row["writes"] or 0 for row in audit), sum(row["within_20ms"] or 0 for row in audit)
    if writes and within / writes < AUDIT_P99_SHARE:
        return [Finding(severity="warn", text=f"only {units.share(within, writes)} of the audit writes were durable within 20 ms")]
    return []


def _names(rows: Sequence[Row], key: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(row[key]) for row in rows if row.get(key)))
