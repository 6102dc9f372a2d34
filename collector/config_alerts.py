"""Who is told of which alerts: `route` and `inhibit_rules` of extensions.alerts, in Alertmanager's grammar.

These models say which keys there are. What they mean together (matchers, durations, receivers that exist) is checked where the tree is
built, by the alert process, and told with the line in this file all the same.
"""

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from collector.config_fields import Section


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


PrometheusDuration = Annotated[str, BeforeValidator(_as_text)]
"""`30s`, `5m`, `1h30m`, `2d`, `1w`."""


class RouteConfig(Section):
    receiver: str | None = None  # name of the receiver; the root needs one, a child without one has its parent's
    group_by: tuple[str, ...] | None = None  # alerts with the same values of these labels are one notification; ['...']: of all labels
    matchers: tuple[str, ...] = ()  # an alert must have all of these: severity="critical", team=~"a|b"; the root has none
    continue_: bool = Field(False, alias="continue")  # also look at the routes after this one, although this one took the alert
    group_wait: PrometheusDuration | None = None  # how long a new group collects alerts before it is told; default 30s
    group_interval: PrometheusDuration | None = None  # how long a told group collects changes before they are told; default 5m
    repeat_interval: PrometheusDuration | None = None  # how long until a group in which nothing changed is told again; default 4h
    routes: tuple["RouteConfig", ...] = ()  # children: the first that takes an alert has it


class InhibitRuleConfig(Section):
    source_matchers: tuple[str, ...] = ()  # while an alert fires that has all of these,
    target_matchers: tuple[str, ...] = ()  # alerts that have all of these are not told,
    equal: tuple[str, ...] = ()  # provided that both have the same values of these labels (missing in both is the same)


_AGENT: Final = ("tenant", "environment", "agent_name")

DEFAULT_INHIBIT_RULES: Final = (
    # what follows from an outage at the agents of the provider
    InhibitRuleConfig(
        source_matchers=('alertname="ProviderOutage"',),
        target_matchers=('alertname=~"HighErrorRate|AgentDown|TaskStuck"',),
        equal=_AGENT,
    ),
    # who sees nothing new must not judge what agents do; controls and the watchers themselves stay
    InhibitRuleConfig(
        source_matchers=('alertname="PipelineStale"', 'reason=~"no data|ingest lag|sealing is stuck"'),
        target_matchers=('alertname!~"PipelineStale|Watchdog|Audit.*|RedactionFailure|UnapprovedSideEffect|SecurityEvent"',),
    ),
    # one cause, one alert: what the rules of the ledger found breaks its objectives, too
    InhibitRuleConfig(
        source_matchers=('alertname="AuditGap"', 'reason=~"entries are missing|verification failed"'),
        target_matchers=('alertname="AuditWriteGap"',),
    ),
    InhibitRuleConfig(
        source_matchers=('alertname="AuditGap"', 'reason="records are damaged"'),
        target_matchers=('alertname="AuditWriteLoss"',),
        equal=("origin",),
    ),
    # one attack, one alert
    InhibitRuleConfig(
        source_matchers=('alertname="SecurityEvent"', 'severity="critical"'),
        target_matchers=('alertname="SecurityEvent"', 'severity="warning"'),
        equal=_AGENT,
    ),
    # a budget that burns fast burns slowly, too
    InhibitRuleConfig(
        source_matchers=('urgency="page"',),
        target_matchers=('urgency="ticket"',),
        equal=("service", "slo", "tenant", "environment", "agent_name"),
    ),
)
"""The rules of a configuration that names none; `inhibit_rules: []` has none."""
