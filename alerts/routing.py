"""The routing tree: which receivers are told of which alerts, in which groups and how often; Alertmanager's `dispatch.Route`.

An alert goes down the tree, depth first and left to right: the deepest route whose matchers it has takes it; the siblings after that one
are asked only when it says `continue`. A route that names no receiver, grouping or timer has those of its parent.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from alerts.durations import parse_duration
from alerts.errors import AlertsError
from alerts.inhibition import InhibitRule
from alerts.matchers import BadMatcher, Matcher, all_match, as_text, go_quoted, in_order, parse_matchers
from storage.wording import KeyPath, dotted

ALL_LABELS: Final = "..."
TIMERS: Final = {
    "group_wait": timedelta(seconds=30),
    "group_interval": timedelta(minutes=5),
    "repeat_interval": timedelta(hours=4),
}
"""Alertmanager's defaults."""
LONGEST_TIMER: Final = timedelta(days=36_500)
"""Times that lie further ahead cannot be counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A node of the tree, with what it has from its parents."""

    id: str  # names the node: also tells siblings with the same matchers apart
    key: str  # matchers from the root down to it, the first part of its groups' keys
    receivers: tuple[str, ...]  # names in the configuration; only the route that is there without a configuration has several
    matchers: tuple[Matcher, ...] = ()
    goes_on: bool = False  # `continue`
    group_by: frozenset[str] = frozenset()
    group_by_all: bool = False
    group_wait: timedelta = TIMERS["group_wait"]
    group_interval: timedelta = TIMERS["group_interval"]
    repeat_interval: timedelta = TIMERS["repeat_interval"]
    routes: tuple["Route", ...] = ()

    def match(self, labels: Mapping[str, str]) -> tuple["Route", ...]:
        """Return the nodes that take an alert with these labels, none when this one does not match."""
        if not all_match(self.matchers, labels):
            return ()
        found: list[Route] = []
        for route in self.routes:
            deeper = route.match(labels)
            found += deeper
            if deeper and not route.goes_on:
                break
        return tuple(found) or (self,)

    def walk(self) -> Iterator["Route"]:
        """Yield this node and all below it, depth first."""
        yield self
        for route in self.routes:
            yield from route.walk()

    def group_labels(self, labels: Mapping[str, str]) -> dict[str, str]:
        """Return the labels by which an alert is grouped here."""
        return {name: text for name, text in sorted(labels.items()) if self.group_by_all or name in self.group_by}

    def group_key(self, labels: Mapping[str, str]) -> str:
        """Return Alertmanager's key of the group with these labels: `{}/{severity="critical"}:{alertname="X"}`."""
        return f"{self.key}:{{{', '.join(f'{name}={go_quoted(labels[name])}' for name in sorted(labels))}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Who is told of which alerts, and which alerts keep others from being told."""

    route: Route
    inhibit_rules: tuple[InhibitRule, ...] = ()


class RoutingError(AlertsError):
    """Route or inhibition rules are refused; `problems` lists all that is wrong: where, from the section `alerts` on, and what."""

    def __init__(self, problems: Sequence[tuple[KeyPath, str]]) -> None:
        self.problems = tuple(problems)
        said = "; ".join(f"{dotted(path)}: {message}" for path, message in self.problems)
        super().__init__("use the alert routing", said, hint="correct it, then check with: auditlake validate")


def read_routing(
    route: Mapping[str, Any] | None, inhibit_rules: Sequence[Mapping[str, Any]] = (), *, receivers: Sequence[str] = ()
) -> Routing:
    """Return the routing of a configuration, given as plain values under Alertmanager's keys; raises RoutingError.

    Without a route, every receiver is told of everything, grouped by alertname. The alerts of a name are evaluated together, so nothing
    is gained by waiting for more of them: their group is told at once.
    """
    reading = _Reading(receivers)
    root = reading.root(route) if route is not None else everything(receivers)
    rules = tuple(reading.inhibit_rule(rule, ("inhibit_rules", index)) for index, rule in enumerate(inhibit_rules))
    if reading.problems:
        raise RoutingError(reading.problems)
    return Routing(route=root, inhibit_rules=rules)


def everything(receivers: Sequence[str]) -> Route:
    """Return the tree of a configuration that has none."""
    return Route(id="{}", key="{}", receivers=tuple(receivers), group_by=frozenset({"alertname"}), group_wait=timedelta())


class _Reading:
    """Builds the tree and collects what is wrong on the way."""

    def __init__(self, receivers: Sequence[str]) -> None:
        self._receivers = receivers
        self.problems: list[tuple[KeyPath, str]] = []

    def root(self, values: Mapping[str, Any]) -> Route:
        path: KeyPath = ("route",)
        if not values.get("receiver"):
            self._report(path, "the root needs a receiver: it takes what no other route does")
        if values.get("matchers"):
            self._report((*path, "matchers"), "the root takes every alert: put matchers on its routes")
        if values.get("continue"):
            self._report((*path, "continue"), "the root has no siblings to continue with: leave it out")
        return self._route(values, path, parent=Route(id="", key="", receivers=()), position=None)

    def _route(self, values: Mapping[str, Any], path: KeyPath, *, parent: Route, position: int | None) -> Route:
        matchers = in_order(self._matchers(values.get("matchers") or (), (*path, "matchers")))
        key = as_text(matchers) if position is None else f"{parent.key}/{as_text(matchers)}"
        group_by, group_by_all = self._group_by(values.get("group_by"), (*path, "group_by"), parent)
        timers = {name: self._timer(values.get(name), (*path, name), getattr(parent, name)) for name in TIMERS}
        name = values.get("receiver")
        if name and name not in self._receivers:
            known = f"known are {', '.join(sorted(self._receivers))}" if self._receivers else "there are no receivers"
            self._report((*path, "receiver"), f"there is no receiver {name!r}: {known}")
        node = Route(
            id=key if position is None else f"{key}/{position}",
            key=key,
            receivers=(name,) if name else parent.receivers,
            matchers=matchers,
            goes_on=bool(values.get("continue")),
            group_by=group_by,
            group_by_all=group_by_all,
            group_wait=timers["group_wait"],
            group_interval=timers["group_interval"],
            repeat_interval=timers["repeat_interval"],
        )
        return node if not values.get("routes") else self._with_children(node, values["routes"], path)

    def _with_children(self, node: Route, children: Sequence[Mapping[str, Any]], path: KeyPath) -> Route:
        routes = [self._route(child, (*path, "routes", index), parent=node, position=index) for index, child in enumerate(children)]
        return replace(node, routes=tuple(routes))

    def _group_by(self, names: Sequence[str] | None, path: KeyPath, parent: Route) -> tuple[frozenset[str], bool]:
        if not names:  # an empty list says as much as none: in Alertmanager too it takes nothing back
            return parent.group_by, parent.group_by_all
        if len(set(names)) < len(names):
            self._report(path, "a label stands twice: keep one of them")
        if ALL_LABELS in names and len(names) > 1:
            self._report(path, "'...' means all labels: leave the others out")
        return frozenset(names) - {ALL_LABELS}, ALL_LABELS in names

    def _timer(self, text: str | None, path: KeyPath, inherited: timedelta) -> timedelta:
        if text is None:
            return inherited
        try:
            duration = parse_duration(str(text))
        except ValueError as error:
            self._report(path, str(error))
            return inherited
        if not duration and path[-1] != "group_wait":
            self._report(path, "it cannot be zero: a group would be told without end")
        if duration > LONGEST_TIMER:
            self._report(path, f"it is longer than {LONGEST_TIMER.days} days: write a shorter one")
            return inherited
        return duration

    def inhibit_rule(self, values: Mapping[str, Any], path: KeyPath) -> InhibitRule:
        return InhibitRule(
            source=self._matchers(values.get("source_matchers") or (), (*path, "source_matchers")),
            target=self._matchers(values.get("target_matchers") or (), (*path, "target_matchers")),
            equal=tuple(values.get("equal") or ()),
        )

    def _matchers(self, texts: Sequence[str], path: KeyPath) -> tuple[Matcher, ...]:
        found: list[Matcher] = []
        for index, text in enumerate(texts):
            try:
                found += parse_matchers(text)
            except BadMatcher as error:
                self._report((*path, index), str(error))
        return tuple(found)

    def _report(self, path: KeyPath, message: str) -> None:
        self.problems.append((path, message))
