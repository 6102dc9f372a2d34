"""Aggregation groups: which alerts are told together, when a group is looked at, and whether there is something new to tell.

Alertmanager's own rules (`dispatch/dispatch.go`, `notify.DedupStage`). A new group waits for `group_wait`, unless one of its alerts is
older than that; from then on it is looked at every `group_interval`. Each time, what is firing and what resolved since is compared with
what the receiver was told last. Alerts that resolved leave the group once it was looked at, and a group without alerts is gone.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from alerts.evaluate import RESOLVED_RETENTION, Alert, State
from alerts.routing import Route

GroupId = tuple[str, str]
"""Id of the route and key of the group: what tells a group from all others."""


@dataclass(slots=True, kw_only=True)
class Group:
    """Alerts of one route with the same values of its `group_by` labels."""

    route: Route
    labels: Mapping[str, str]
    due_at: datetime
    flushed_at: datetime | None = None
    alerts: dict[str, Alert] = field(default_factory=dict)  # by fingerprint; firing, or resolved and not told yet

    @property
    def id(self) -> GroupId:
        """What tells it from all others."""
        return self.route.id, self.key

    @property
    def key(self) -> str:
        """Alertmanager's key."""
        return self.route.group_key(self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredGroup:
    """A group as it was stored; its route may be gone."""

    due_at: datetime
    flushed_at: datetime | None
    alerts: Mapping[str, Alert]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a receiver was told last of a group: an entry of the notification log."""

    firing: frozenset[str]
    resolved: frozenset[str]
    at: datetime
    expires_at: datetime


class Reason(StrEnum):
    """Why a group is told."""

    FIRST = "first notification"
    NEW = "new alerts"
    RESOLVED = "some alerts resolved"
    ALL_RESOLVED = "all alerts resolved"
    REPEAT = "repeat interval passed"


def first_due(route: Route, alert: Alert, now: datetime) -> datetime:
    """Return when a group is looked at that begins now with this alert."""
    since = alert.fired_at or alert.active_at
    return now if since + route.group_wait < now else now + route.group_wait


def reason_to_tell(
    entry: Entry | None, firing: frozenset[str], resolved: frozenset[str], *, repeat: timedelta, send_resolved: bool, now: datetime
) -> Reason | None:
    """Return why a receiver must be told that these alerts fire and those resolved, or None: it knows (`DedupStage.needsUpdate`)."""
    if entry is None:
        return Reason.FIRST if firing else None
    if not firing <= entry.firing:
        return Reason.NEW if entry.firing else Reason.FIRST
    if not firing:
        return Reason.ALL_RESOLVED if entry.firing else None  # whether or not it wants to know: the log must forget them
    if send_resolved and not resolved <= entry.resolved:
        return Reason.RESOLVED
    return Reason.REPEAT if entry.at < now - repeat else None


class Groups:
    """All groups, in memory, and what of them has changed since `saved` was called."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._groups: dict[GroupId, Group] = {}
        self._places: dict[str, tuple[GroupId, ...]] = {}  # fingerprint of a member → its groups
        self._taken: dict[str, Alert] = {}  # fingerprint → the alert that fires, as it was given last
        self.changed: set[GroupId] = set()
        self.changed_members: set[tuple[GroupId, str]] = set()

    def __len__(self) -> int:
        return len(self._groups)

    def get(self, group: GroupId) -> Group | None:
        """Return a group, or None when it is gone."""
        return self._groups.get(group)

    def of(self, fingerprint: str) -> list[Group]:
        """Return the groups that an alert is in."""
        return [self._groups[place] for place in self._places.get(fingerprint, ())]

    def saved(self) -> None:
        """All changes are stored."""
        self.changed.clear()
        self.changed_members.clear()

    def restore(self, stored: Mapping[GroupId, StoredGroup], now: datetime) -> None:
        """Begin with what was stored. Alerts are routed anew: where the tree is still the same, their groups go on as they were.

        One that resolved is told where it waited for that, and nowhere else.
        """
        for place, group in stored.items():
            for alert in group.alerts.values():
                routes = self._route.match(alert.labels)
                if alert.state is State.RESOLVED:
                    routes = tuple(route for route in routes if _place(route, alert.labels) == place)
                if routes:
                    self._join(alert, routes, now, stored)
        self.changed |= self._groups.keys() ^ stored.keys()
        self.changed_members = _members(self._groups) ^ _members(stored)

    def take(self, alerts: Sequence[Alert], now: datetime) -> None:
        """Take the alerts as they are now: all that fire, and those that resolved lately."""
        present: dict[str, Alert] = {}
        for alert in alerts:
            if alert.state is State.FIRING:
                present[alert.fingerprint] = alert
                before = self._taken.get(alert.fingerprint)
                if before is None:  # it begins to fire, maybe anew: groups that told that it resolved have let it go
                    self._join(alert, self._route.match(alert.labels), now, {})
                elif before is not alert:  # most of them were not evaluated since
                    self._join(alert, (), now, {})
        self._taken = present
        ended = {alert.fingerprint: alert for alert in alerts if alert.state is State.RESOLVED and alert.fingerprint not in present}
        for mark in self._places.keys() - present.keys():
            self._resolve(mark, ended.get(mark), now)

    def look_again(self, now: datetime) -> None:
        """Make every group due that was looked at before: somebody may not know yet what it told."""
        for group in self._groups.values():
            if group.flushed_at is not None:
                group.due_at = now

    def firing(self) -> dict[str, Alert]:
        """Return all alerts that fire, by fingerprint."""
        every = (alert for group in self._groups.values() for alert in group.alerts.values())
        return {alert.fingerprint: alert for alert in every if alert.state is State.FIRING}

    def due(self, now: datetime) -> list[Group]:
        """Return the groups to look at, the one that waits longest first. One that is far ahead waited under a clock that was set back."""
        longest = timedelta(seconds=1)
        found = [
            group
            for group in self._groups.values()
            if group.due_at <= now or group.due_at - now > max(group.route.group_wait, group.route.group_interval) + longest
        ]
        return sorted(found, key=lambda group: (group.due_at, group.id))

    def flushed(self, group: Group, now: datetime, *, withheld: Collection[str] = ()) -> None:
        """A group was looked at now: what resolved leaves it, and without alerts it is gone.

        What resolved and was `withheld`, because it is muted, stays for as long as Prometheus goes on to send it.
        """
        group.flushed_at, group.due_at = now, now + group.route.group_interval
        self.changed.add(group.id)
        for mark in [mark for mark, alert in group.alerts.items() if alert.state is State.RESOLVED]:
            if mark in withheld and not _forgotten(group.alerts[mark], now):
                continue
            del group.alerts[mark]
            self.changed_members.add((group.id, mark))
            left = tuple(place for place in self._places[mark] if place != group.id)
            if left:
                self._places[mark] = left
            else:
                del self._places[mark]
        if not group.alerts:
            del self._groups[group.id]

    def _join(self, alert: Alert, routes: Sequence[Route], now: datetime, stored: Mapping[GroupId, StoredGroup]) -> None:
        """Put an alert into the groups that it is in, and into those of these routes."""
        for route in routes:
            self._begin(route, alert, now, stored)
        joined = (_place(route, alert.labels) for route in routes)
        self._places[alert.fingerprint] = tuple(dict.fromkeys((*self._places.get(alert.fingerprint, ()), *joined)))
        for place in self._places[alert.fingerprint]:
            self._put(place, alert)
            self._hasten(place, alert, now)

    def _begin(self, route: Route, alert: Alert, now: datetime, stored: Mapping[GroupId, StoredGroup]) -> None:
        """Make the group of an alert, unless there is one; one that was stored goes on."""
        place = _place(route, alert.labels)
        if place in self._groups:
            return
        group = Group(route=route, labels=route.group_labels(alert.labels), due_at=first_due(route, alert, now))
        before = stored.get(place)
        if before is not None:
            group.due_at, group.flushed_at = before.due_at, before.flushed_at
        else:
            self.changed.add(place)
        self._groups[place] = group

    def _put(self, place: GroupId, alert: Alert) -> None:
        alerts = self._groups[place].alerts
        before = alerts.get(alert.fingerprint)
        alerts[alert.fingerprint] = alert
        if before is None or (before.state, before.fired_at) != (alert.state, alert.fired_at):
            self.changed_members.add((place, alert.fingerprint))

    def _hasten(self, place: GroupId, alert: Alert, now: datetime) -> None:
        """Before its first look a group waits no longer for an alert that has waited enough, whichever came first."""
        group = self._groups[place]
        due_at = first_due(group.route, alert, now)
        if group.flushed_at is None and due_at < group.due_at:
            group.due_at = due_at
            self.changed.add(place)

    def _resolve(self, mark: str, alert: Alert | None, now: datetime) -> None:
        for place in self._places[mark]:
            member = self._groups[place].alerts[mark]
            if member.state is State.FIRING:
                self._put(place, alert or replace(member, state=State.RESOLVED, resolved_at=now))


def _place(route: Route, labels: Mapping[str, str]) -> GroupId:
    return route.id, route.group_key(route.group_labels(labels))


def _forgotten(alert: Alert, now: datetime) -> bool:
    return alert.resolved_at is None or now - alert.resolved_at > RESOLVED_RETENTION


def _members(groups: Mapping[GroupId, Group] | Mapping[GroupId, StoredGroup]) -> set[tuple[GroupId, str]]:
    return {(key, mark) for key, group in groups.items() for mark in group.alerts}
