"""Inhibition: alerts that keep others from being told while they fire; Alertmanager's `inhibit`.

A rule mutes an alert that has its target matchers while another alert fires that has its source matchers, provided that both have the same
values of the labels in `equal` (a label that is missing in both is the same). An alert that has the matchers of both sides is not muted by
one of which the same is true, itself included. Muted alerts are sources all the same.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from alerts.evaluate import Alert, State
from alerts.matchers import Matcher, all_match


@dataclass(frozen=True, slots=True, kw_only=True)
class InhibitRule:
    """While a source fires, targets are not told."""

    source: tuple[Matcher, ...] = ()
    target: tuple[Matcher, ...] = ()
    equal: tuple[str, ...] = ()

    def same(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Return the values that source and target must have in common."""
        return tuple(labels.get(name, "") for name in self.equal)


class Inhibition:
    """The rules together with what fires now."""

    def __init__(self, rules: Iterable[InhibitRule], alerts: Iterable[Alert]) -> None:
        self._rules = tuple(rules)
        self._sources: list[dict[tuple[str, ...], list[Alert]]] = [{} for _ in self._rules]
        if not self._rules:
            return
        firing = [alert for alert in alerts if alert.state is State.FIRING]
        for rule, sources in zip(self._rules, self._sources, strict=True):
            for alert in firing:
                if all_match(rule.source, alert.labels):
                    sources.setdefault(rule.same(alert.labels), []).append(alert)

    def by(self, labels: Mapping[str, str]) -> str | None:
        """Return the fingerprint of an alert that mutes one with these labels, or None when it is told."""
        for rule, sources in zip(self._rules, self._sources, strict=True):
            candidates = sources.get(rule.same(labels))
            if not candidates or not all_match(rule.target, labels):
                continue
            both_sides = all_match(rule.source, labels)
            for source in candidates:
                if not (both_sides and all_match(rule.target, source.labels)):
                    return source.fingerprint
        return None
