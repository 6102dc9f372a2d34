"""A dispatcher under a clock that is set: timelines of alerts, silences and acknowledgements in, what receivers are told out."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from alerts.acks import Acks
from alerts.dispatch import Dispatcher
from alerts.durations import format_duration, parse_duration
from alerts.evaluate import Alert, State, fingerprint
from alerts.payload import ACKNOWLEDGED
from alerts.routing import read_routing
from alerts.silences import Silences, new_silence
from alerts.state import AlertStore
from tests.alerts.fakes import START

_ALERT = re.compile(r"(\w+)\{([^}]*)\}")


@dataclass(frozen=True, kw_only=True)
class Integration:
    """One way to reach a receiver."""

    name: str
    receiver: str
    send_resolved: bool = True
    acknowledges: bool = False


def labels(text: str) -> dict[str, str]:
    """Return the labels of `NAME{label=value,…}`."""
    found = _ALERT.fullmatch(text)
    assert found is not None, text
    pairs = dict(pair.split("=") for pair in found[2].split(",") if pair)
    return {"alertname": found[1], **pairs}


def alert(text: str, fired: timedelta = timedelta()) -> Alert:
    """Return an alert that fires since `fired` after the start."""
    named = labels(text)
    at = START + fired
    return Alert(fingerprint=fingerprint(named), labels=named, annotations={}, value=1.0, state=State.FIRING, active_at=at, fired_at=at)


def written(told: Mapping[str, Any]) -> str:
    """Return an alert of a message as `NAME{label=value,…}`, behind a sign for what it became."""
    others = {name: text for name, text in sorted(told["labels"].items()) if name != "alertname"}
    sign = "-" if told["status"] == "resolved" else ""
    return f"{sign}{told['labels']['alertname']}{{{','.join(f'{name}={text}' for name, text in others.items())}}}"


class Simulation:
    """One dispatcher over one data directory."""

    def __init__(self, data: Path, case: Mapping[str, Any]) -> None:
        self._data = data
        names = {route["receiver"] for route in _routes(case["route"]) if "receiver" in route}
        configured: dict[str, list[dict[str, Any]]] = {name: [{}] for name in names} | case.get("receivers", {})
        self._targets = [
            Integration(name=name if len(ways) == 1 else f"{name}/{number}", receiver=name, **way)
            for name, ways in sorted(configured.items())
            for number, way in enumerate(ways, 1)
        ]
        self._routing = read_routing(case["route"], case.get("inhibit_rules", ()), receivers=list(configured))
        self.alerts: dict[str, Alert] = {}
        self.now = timedelta()
        self._start()

    def _start(self) -> None:
        self.store = AlertStore.open(self._data)
        self.dispatcher = Dispatcher(self.store, self._routing, self._targets, external_url="http://auditlake.test")

    def run(self, steps: Mapping[str, str], *, tick: timedelta, until: timedelta) -> None:
        """Let time pass from the start on."""
        todo = {parse_duration(at): step for at, step in steps.items()}
        while self.now <= until:
            if self.now in todo:
                self.do(todo.pop(self.now))
            self.dispatcher.tick(START + self.now, list(self.alerts.values()))
            self.now += tick
        assert not todo, "every step has come"

    def do(self, step: str) -> None:
        """Take one step."""
        verb, *words = step.split()
        getattr(self, f"_{verb}")(*words)

    def told(self) -> list[str]:
        """Return what went to the outbox: when, to whom, and which alerts."""
        return [line for _, line in self._messages()]

    def keys(self) -> list[str]:
        """Return the keys of the groups that were told."""
        return sorted({key for key, _ in self._messages()})

    def _messages(self) -> Iterator[tuple[str, str]]:
        for row in self.store.outbox():
            body = json.loads(row["body"])
            sign = "!" if body["status"] == ACKNOWLEDGED else ""
            alerts = " ".join(sign + each for each in sorted(map(written, body["alerts"]), key=lambda text: text.lstrip("-")))
            yield body["groupKey"], f"{format_duration(row['created_at'] - START)} {row['receiver']}: {alerts}"

    def _fire(self, *words: str) -> None:
        texts, since = (words[:-2], parse_duration(words[-1])) if "since" in words else (words, self.now)
        for text in texts:
            self.alerts[text] = alert(text, since)

    def _resolve(self, *texts: str) -> None:
        for text in texts:
            self.alerts[text] = replace(self.alerts[text], state=State.RESOLVED, resolved_at=START + self.now)

    def _vanish(self, text: str) -> None:
        del self.alerts[text]

    def _silence(self, *words: str) -> None:
        place = words.index("for")
        begins = parse_duration(words[words.index("from") + 1]) if "from" in words else self.now
        starts_at = START + begins
        ends_at = starts_at + parse_duration(words[place + 1])
        made = new_silence(words[:place], starts_at=starts_at, ends_at=ends_at, created_by="kim", comment="why", now=START + self.now)
        Silences(self.store).add(made)

    def _expire(self) -> None:
        for silence in Silences(self.store).all():
            Silences(self.store).expire(silence.id, START + self.now)

    def _ack(self, text: str) -> None:
        Acks(self.store).add(self.alerts[text], created_by="kim", comment="on it", now=START + self.now)

    def _unack(self, text: str) -> None:
        assert Acks(self.store).end(self.alerts[text], START + self.now)

    def _restart(self) -> None:
        self.store.close()
        self._start()


def _routes(route: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield route
    for child in route.get("routes", ()):
        yield from _routes(child)
