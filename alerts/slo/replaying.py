"""The alerts of SLOs at any instant, for `alerts eval` and rule unit tests: all that they look at is counted first, and kept nowhere."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from alerts.rules import CheckSql, LoadedGroup, LoadedRule, load_rules
from alerts.slo.burn import LONGEST
from alerts.slo.counting import Countable, Counter
from alerts.slo.keeping import Forgotten
from alerts.slo.objectives import LoadedObjective, is_objective_file
from alerts.slo.rules import BurnSource, objective_groups

HOURS_AT_ONCE: Final = 24

_Clean = Callable[[Sequence[tuple[str, str | None]]], list[str]]


class WholeCounts:
    """The counts of one SLO in the lake that was asked last."""

    def __init__(self, objective: LoadedObjective) -> None:
        self._objective = objective
        self._lake: Countable | None = None
        self._counter = Counter(objective, Forgotten())

    def at(self, lake: Countable, moment: datetime, *, clean: _Clean, timeout_seconds: float) -> Counter:
        """Return what was counted as of a time (aware), all of it that alerts look at. Raises StorageError and AlertsError."""
        if lake is not self._lake:
            self._lake = lake
            self._counter = Counter(self._objective, Forgotten(), reach=LONGEST, hours_at_once=HOURS_AT_ONCE)
        if self._counter.counted_at != moment:
            for _ in self._counter.steps(lake, moment, clean=clean, timeout_seconds=timeout_seconds):
                pass
            self._counter.counted_at = moment
        return self._counter

    def forget(self) -> None:
        """Count everything again."""
        self._lake = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeSource:
    """Answers for one alert of an SLO."""

    counts: WholeCounts
    source: BurnSource

    def rows(self, lake: Countable, *, eval_ts: datetime, clean: _Clean, timeout_seconds: float) -> list[dict[str, Any]]:
        """Return the label sets whose budget burns too fast."""
        counter = self.counts.at(lake, eval_ts, clean=clean, timeout_seconds=timeout_seconds)
        return replace(self.source, counter=counter).told(eval_ts)

    def forget(self) -> None:
        """Count everything again."""
        self.counts.forget()


def load_all(paths: Sequence[Path], *, check_sql: CheckSql | None = None) -> tuple[LoadedGroup, ...]:
    """Read rule files and files of SLOs as groups that can be evaluated at any instant; raises RuleFileError."""
    slos = [path for path in paths if is_objective_file(path)]
    rules = load_rules([path for path in paths if path not in slos], check_sql=check_sql)
    return (*rules, *(replace(group, rules=_whole(group.rules)) for group in objective_groups(slos, check_sql=check_sql)))


def _whole(rules: Sequence[LoadedRule]) -> tuple[LoadedRule, ...]:
    counts: dict[str, WholeCounts] = {}
    found = []
    for rule in rules:
        if isinstance(rule.source, BurnSource):
            objective = rule.source.counter.objective
            whole = counts.setdefault(objective.name, WholeCounts(objective))
            found.append(replace(rule, source=WholeSource(counts=whole, source=rule.source)))
    return tuple(found)
