"""SLOs as groups of ordinary rules: a page and a ticket each, whose conditions are burn rates instead of expressions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from alerts.errors import NotYet
from alerts.rules import CheckSql, LoadedGroup, LoadedRule, Rule
from alerts.slo.burn import Burning, Urgency, burning, looks_back
from alerts.slo.counting import Countable, Counter
from alerts.slo.keeping import Forgotten, Kept
from alerts.slo.objectives import LoadedObjective, load_objectives

SPEND_SECONDS: Final = 2.0
"""Of one evaluation of one SLO for its past."""
SEVERITIES: Final = {Urgency.PAGE: "critical", Urgency.TICKET: "warning"}

_WHOSE: Final = "{{ labels.slo }} of {{ labels.agent_name or labels.origin or labels.service }}"
_BURNS: Final = {
    "summary": f"{_WHOSE} spends its error budget {{{{ value | round(1) }}}} times as fast as it may",
    "description": "A whole budget of 30 days lasts {{ (2592000 / value) | duration }} at this rate. `auditlake slo` shows what is left.",
}
_NO_BUDGET: Final = {
    "summary": f"{_WHOSE} is broken: {{{{ value | number }}}} in the last hour, and none is allowed",
    "description": "There is no error budget: every single event counts. `auditlake slo` shows how many there were.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnSource:
    """Answers for one alert of an SLO."""

    counter: Counter
    urgency: Urgency

    def rows(
        self, lake: Countable, *, eval_ts: datetime, clean: Callable[[Sequence[tuple[str, str | None]]], list[str]], timeout_seconds: float
    ) -> list[dict[str, Any]]:
        """Count what is new, and return the label sets whose budget burns too fast."""
        self.counter.advance(lake, eval_ts, clean=clean, timeout_seconds=timeout_seconds, spend_seconds=SPEND_SECONDS)
        return self.told(eval_ts)

    def told(self, eval_ts: datetime) -> list[dict[str, Any]]:
        """Return the label sets whose budget burns too fast, by what is counted; raises NotYet while an erasure has left gaps in that."""
        objective = self.counter.objective
        least = objective.slo.alerting.min_bad_events
        as_of = self.counter.counted_at or eval_ts
        if self.counter.counts_again and not self.counter.counts.covers(as_of - looks_back(objective.budget, self.urgency), as_of):
            raise NotYet
        return _as_rows(burning(self.counter.counts, objective.budget, self.urgency, as_of, min_bad_events=least))

    def forget(self) -> None:
        """Begin anew with what is kept."""
        self.counter.forget()


def objective_groups(paths: Sequence[Path], *, check_sql: CheckSql | None = None, kept: Kept | None = None) -> tuple[LoadedGroup, ...]:
    """Read SLO files as groups of rules, one a file; raises RuleFileError. Counts are kept in `kept`, without it only in memory."""
    objectives = load_objectives(paths, check_sql=check_sql)
    files = list(dict.fromkeys(objective.file for objective in objectives))
    return tuple(_group([objective for objective in objectives if objective.file == file], kept or Forgotten()) for file in files)


def _group(objectives: Sequence[LoadedObjective], kept: Kept) -> LoadedGroup:
    first = objectives[0]
    rules = [rule for objective in objectives for rule in objective_rules(objective, Counter(objective, kept))]
    name = f"slo {first.service}"
    return LoadedGroup(
        key=f"{Path(first.file).name};{name}",
        file=first.file,
        name=name,
        interval=first.interval,
        query_offset=None,
        rules=tuple(rules),
    )


def objective_rules(objective: LoadedObjective, counter: Counter) -> list[LoadedRule]:
    """Return the rules of the alerts that an SLO has. With no budget there is no ticket: the first bad event pages."""
    wanted = (Urgency.PAGE,) if objective.budget == 0 else tuple(Urgency)
    return [_rule(objective, counter, urgency) for urgency in wanted if not _own(objective, urgency).disable]


def _rule(objective: LoadedObjective, counter: Counter, urgency: Urgency) -> LoadedRule:
    told = objective.slo.alerting
    own = _own(objective, urgency)
    labels = {"severity": SEVERITIES[urgency], **objective.labels, **told.labels, **own.labels}
    fixed = {"service": objective.service, "slo": objective.name, "urgency": str(urgency)}
    annotations: Mapping[str, str] = {**(_NO_BUDGET if objective.budget == 0 else _BURNS), **told.annotations, **own.annotations}
    return LoadedRule(
        key=f"{Path(objective.file).name};slo;{objective.service};{objective.name};{urgency}",
        group=f"slo {objective.service}",
        rule=Rule(alert=objective.alertname, expr=objective.slo.sli.events.error_query, annotations=dict(annotations)),
        labels={**labels, **fixed},
        parameters={},
        lookback=None,
        limit=0,
        source=BurnSource(counter=counter, urgency=urgency),
    )


def _own(objective: LoadedObjective, urgency: Urgency) -> Any:
    told = objective.slo.alerting
    return told.page_alert if urgency is Urgency.PAGE else told.ticket_alert


def _as_rows(found: Sequence[Burning]) -> list[dict[str, Any]]:
    """Return rows that all have the same columns."""
    names = sorted({name for burn in found for name, _ in burn.labels})
    return [{**dict.fromkeys(names), **dict(burn.labels), "value": burn.value} for burn in found]
