"""The dispatcher: from alerts that fire to messages in the outbox, by way of routes, groups, silences and inhibition.

    alerts as they are now → routes → groups → what is due → not muted → not told yet → outbox

Groups, the notification log and the messages are committed together, so that a restart neither forgets nor repeats a notification. What it
decides depends on what is stored, the alerts, the configuration and `now` alone.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Protocol

from alerts.acks import Ack, open_acks, store_acks
from alerts.dispatch_state import EntryId, store_entries, store_groups, stored_entries, stored_groups
from alerts.evaluate import Alert, State
from alerts.grouping import Entry, Group, Groups, Reason, reason_to_tell
from alerts.inhibition import Inhibition
from alerts.outbox import Message, post
from alerts.payload import ACKNOWLEDGED, payload, rfc3339
from alerts.routing import Route, Routing
from alerts.silences import Silence, Silences, muting
from alerts.state import AlertStore

TEST: Final = "test"
"""The label of an alert that only tests the way to receivers."""


class Target(Protocol):
    """One way to reach a receiver, such as one of its webhooks: what the dispatcher has to know of it."""

    @property
    def name(self) -> str:
        """Its name in the outbox: unlike any other's, and the same after a restart."""

    @property
    def receiver(self) -> str:
        """Name of its receiver in the configuration: what routes say."""

    @property
    def send_resolved(self) -> bool:
        """Whether it also wants to know that an alert resolved."""

    @property
    def acknowledges(self) -> bool:
        """Whether it also wants to know that somebody acknowledged an alert."""


class Notifier(Protocol):
    """Is told of the alerts after each evaluation, and of time that passes: `Dispatcher`, or what sends to an Alertmanager instead."""

    def tick(self, now: datetime, alerts: Iterable[Alert] | None = None) -> int:
        """Do what is due; `alerts` are all that fire or resolved, None when none of them changed. Returns how many messages were made."""


class Dispatcher:
    """Turns alerts into messages. Its memory is a copy of the store, read again when that cannot be written or somebody was erased."""

    def __init__(
        self, store: AlertStore, routing: Routing, targets: Sequence[Target], *, external_url: str, looks_again: bool = False
    ) -> None:
        """`looks_again`: others were told before, so every group is looked at first of all; what these know they are not told again."""
        self._store = store
        self._silences = Silences(store)
        self._routing = routing
        self._targets = targets
        self._external_url = external_url
        self._looks_again = looks_again
        self._orders = store.orders
        self._groups: Groups | None = None
        self._alerts: Sequence[Alert] | None = None  # as they were given last, while they are not taken

    def tick(self, now: datetime, alerts: Iterable[Alert] | None = None) -> int:
        """Take the alerts as they are now, tell what is due; returns how many messages went to the outbox.

        Raises DatabaseError, and Outdated when somebody was erased since the store was asked (`AlertStore.recall`): nothing was told.
        """
        if self._orders != self._store.orders:
            self._orders, self._groups, self._alerts = self._store.orders, None, None
        if alerts is not None:
            self._alerts = list(alerts)
        groups = self._groups or self._restored(now)
        self._groups = None  # until all of this is stored
        if self._alerts is not None:
            groups.take(self._alerts, now)
        written = self._tell(groups, now)
        self._groups, self._alerts, self._looks_again = groups, None, False
        return written

    def _restored(self, now: datetime) -> Groups:
        groups = Groups(self._routing.route)
        with self._store.begin() as connection:
            groups.restore(stored_groups(connection), now)
        if self._looks_again:
            groups.look_again(now)
        return groups

    def _tell(self, groups: Groups, now: datetime) -> int:
        due = groups.due(now)
        acks = self._acks(groups)
        if not (due or acks.ended or acks.untold or groups.changed or groups.changed_members):
            return 0
        looking = _Looking(self._routing, self._targets, self._external_url, now, firing=groups.firing(), acknowledged=acks.holding)
        silences = self._silences.active(now) if due else []
        concerned = {group.key for group in (*due, *(group for ack in acks.untold for group in groups.of(ack.fingerprint)))}
        log = self._entries(concerned, now)
        for group in due:
            muted = looking.look(group, log, silences)
            groups.flushed(group, now, withheld=muted)
        told = [ack for ack in acks.untold if looking.acknowledge(ack, groups, log | looking.entries)]
        with self._store.remembered() as connection:
            store_groups(connection, groups)
            store_entries(connection, looking.entries, now)
            store_acks(connection, ended=acks.ended, told=told, now=now)
            post(connection, looking.messages)
        groups.saved()
        return len(looking.messages)

    def _entries(self, group_keys: Collection[str], now: datetime) -> dict[EntryId, Entry]:
        """Read what was told last of these groups. Never from memory: whoever gives a message up takes its entry back."""
        with self._store.begin() as connection:
            return stored_entries(connection, group_keys, now)

    def _acks(self, groups: Groups) -> "_OpenAcks":
        with self._store.begin() as connection:
            found = open_acks(connection)
        if not found:
            return _OpenAcks()
        firing = groups.firing()
        holding = [ack for ack in found if ack.holds_for(firing.get(ack.fingerprint))]
        return _OpenAcks(
            holding=frozenset(ack.fingerprint for ack in holding),
            untold=tuple(ack for ack in holding if ack.told_at is None),
            ended=tuple(ack for ack in found if ack not in holding),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenAcks:
    holding: frozenset[str] = frozenset()
    untold: tuple[Ack, ...] = ()
    ended: tuple[Ack, ...] = ()


class _Looking:
    """One look at the groups that are due: the messages that it makes, and the entries of the notification log."""

    def __init__(
        self,
        routing: Routing,
        targets: Sequence[Target],
        external_url: str,
        now: datetime,
        *,
        firing: Mapping[str, Alert],
        acknowledged: frozenset[str],
    ) -> None:
        self._targets = targets
        self._external_url = external_url
        self._now = now
        self._inhibition = Inhibition(routing.inhibit_rules, firing.values())
        self._acknowledged = acknowledged
        self.messages: list[Message] = []
        self.entries: dict[EntryId, Entry] = {}

    def look(self, group: Group, log: Mapping[EntryId, Entry], silences: Sequence[Silence]) -> frozenset[str]:
        """Tell what is new in a group to each target of its route; returns which of its alerts are muted."""
        muted = frozenset(mark for mark, alert in group.alerts.items() if self._muted(alert.labels, silences))
        alerts = [alert for mark, alert in group.alerts.items() if mark not in muted]
        if alerts:  # else, as in Alertmanager, nothing is told, and the log stays as it is
            self._tell(group, alerts, log)
        return muted

    def _tell(self, group: Group, alerts: Sequence[Alert], log: Mapping[EntryId, Entry]) -> None:
        firing = frozenset(alert.fingerprint for alert in alerts if alert.state is State.FIRING)
        resolved = frozenset(alert.fingerprint for alert in alerts) - firing
        repeat = group.route.repeat_interval
        for target in self._of(group):
            key = (group.key, target.name)
            entry = self.entries.get(key) or log.get(key)
            reason = reason_to_tell(entry, firing, resolved, repeat=repeat, send_resolved=target.send_resolved, now=self._now)
            if reason is None:
                continue
            if entry is not None and reason is Reason.REPEAT and firing <= self._acknowledged:
                self.entries[key] = replace(entry, expires_at=self._now + 2 * repeat)  # still known, and not told again
                continue
            self.entries[key] = Entry(firing=firing, resolved=resolved, at=self._now, expires_at=self._now + 2 * repeat)
            told = alerts if target.send_resolved else [alert for alert in alerts if alert.fingerprint in firing]
            if told:
                self._write(target, group, told)

    def acknowledge(self, ack: Ack, groups: Groups, log: Mapping[EntryId, Entry]) -> bool:
        """Tell the targets that want to know who takes care of an alert; False: they have yet to be told that it fires."""
        wanting = [(group, target) for group in groups.of(ack.fingerprint) for target in self._of(group) if target.acknowledges]
        knowing = [(group, target) for group, target in wanting if _knows(log.get((group.key, target.name)), ack.fingerprint)]
        who = {"by": ack.created_by, "comment": ack.comment, "at": rfc3339(ack.created_at)}
        for group, target in knowing:
            self._write(target, group, [group.alerts[ack.fingerprint]], status=ACKNOWLEDGED, acknowledgement=who)
        return bool(knowing) or not wanting

    def _write(self, target: Target, group: Group, alerts: Sequence[Alert], **more: Any) -> None:
        told = message(target, group.route, group.labels, alerts, now=self._now, external_url=self._external_url, **more)
        self.messages.append(told)

    def _muted(self, labels: Mapping[str, str], silences: Sequence[Silence]) -> bool:
        return self._inhibition.by(labels) is not None or muting(silences, labels, self._now) is not None

    def _of(self, group: Group) -> list[Target]:
        return [target for target in self._targets if target.receiver in group.route.receivers]


def _knows(entry: Entry | None, fingerprint: str) -> bool:
    return entry is not None and fingerprint in entry.firing


def message(
    target: Target, route: Route, labels: Mapping[str, str], alerts: Sequence[Alert], *, now: datetime, external_url: str, **more: Any
) -> Message:
    """Return the message that tells a target of alerts of the group with these labels: its body is `payload` as JSON, and `more`."""
    key = route.group_key(labels)
    body = payload(alerts, target.receiver, labels, group_key=key, external_url=external_url) | more
    told = sorted(f"{alert.fingerprint} {alert.state}" for alert in alerts)
    identity = sha256(json.dumps([target.name, key, rfc3339(now), told, *more]).encode()).hexdigest()[:32]
    return Message(key=identity, receiver=target.name, group_key=key, body=json.dumps(body, sort_keys=True), created_at=now)


def fire(routing: Routing, targets: Sequence[Target], alert: Alert, *, now: datetime, external_url: str) -> list[Message]:
    """Return the messages that a test alert makes: to every target of every route that takes it, at once.

    Waits, silences, inhibition and the notification log are passed over: the test is of routes and receivers. It is a group of its own,
    by the label `test`, so that what receivers know of a real group stays as it is.
    """
    found = []
    for route in routing.route.match(alert.labels):
        labels = {**route.group_labels(alert.labels), TEST: alert.labels.get(TEST, "true")}
        found += [
            message(target, route, labels, [alert], now=now, external_url=external_url)
            for target in targets
            if target.receiver in route.receivers
        ]
    return found
