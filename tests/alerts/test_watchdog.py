"""The dead-man's switch end to end: rule, route, outbox, courier, a receiver over HTTP that alarms when it is not called."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import alerts
from alerts.delivery import Courier
from alerts.events import read_event
from alerts.receivers.webhook import WebhookReceiver
from alerts.routing import read_routing
from alerts.rules import load_rules
from tests.alerts.fakes import RULES, START, Process
from tests.alerts.http_server import Answer, HttpServer, http_server

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
PACK = Path(alerts.__file__).parent / "packs/agent-ops.yaml"
ROUTE = {
    "receiver": "on-call",
    "routes": [
        {
            "matchers": ['alertname="Watchdog"'],
            "receiver": "switch",
            "group_wait": "0s",
            "group_interval": "1m",
            "repeat_interval": "50s",
        }
    ],
}


def watchdog() -> str:
    """The rule of the default pack, as a file of its own."""
    [rule] = [rule for group in load_rules([PACK]) for rule in group.rules if rule.name == "Watchdog"]
    assert rule.rule.wait == timedelta()
    return (
        f"groups: [{{name: watchdog, interval: 30s, rules: [{{alert: Watchdog, expr: {rule.rule.expr!r}, labels: {{severity: none}}}}]}}]"
    )


@dataclass
class Switch:
    """Alarms when it was not called for three minutes."""

    server: HttpServer
    called: datetime = START
    calls: int = 0
    alarms: list[datetime] = field(default_factory=list)

    def look(self, now: datetime) -> None:
        if len(self.server.requests) > self.calls:
            self.calls, self.called = len(self.server.requests), now
        if now - self.called > 3 * MINUTE:
            self.alarms.append(now)


def run(process: Process, courier: Courier, switch: Switch, until: datetime, *, alive: Callable[[datetime], bool]) -> None:
    """Let half minutes pass; where the process is not `alive`, only the switch looks at the clock."""
    while process.now < until:
        if alive(process.now):
            process.tick([{"value": 1.0}], after=timedelta())
            courier.deliver_due()
        switch.look(process.now)
        process.now += 30 * SECOND


def test_the_switch_is_called_while_the_scheduler_lives_and_alarms_when_it_is_dead(tmp_path: Path) -> None:
    with http_server() as server:
        receiver = WebhookReceiver(name="switch", url=server.url, send_resolved=False)
        routing = read_routing(ROUTE, receivers=["on-call", "switch"])
        process = Process(tmp_path, receivers=[receiver], rules=watchdog(), routing=routing)
        courier, switch = Courier(process.store, receiver, clock=lambda: process.now), Switch(server)
        dies, returns = START + 10 * MINUTE, START + 20 * MINUTE
        run(process, courier, switch, START + 30 * MINUTE, alive=lambda now: not dies <= now < returns)
        process.store.close()
    assert switch.alarms[0] == dies - 30 * SECOND - 30 * SECOND + 3 * MINUTE + 30 * SECOND
    assert switch.alarms[-1] < returns
    assert {alert["labels"]["alertname"] for request in server.requests for alert in request.body["alerts"]} == {"Watchdog"}
    assert {alert["labels"]["severity"] for request in server.requests for alert in request.body["alerts"]} == {"none"}


def test_a_silent_network_is_a_dead_scheduler_to_the_switch(tmp_path: Path) -> None:
    """The courier gets no answer that counts, and the switch no call."""
    with http_server(usual=Answer(status=403)) as server:
        receiver = WebhookReceiver(name="switch", url=server.url)
        process = Process(tmp_path, receivers=[receiver], rules=watchdog(), routing=read_routing(ROUTE, receivers=["on-call", "switch"]))
        process.tick([{"value": 1.0}], after=MINUTE)
        assert Courier(process.store, receiver, clock=lambda: process.now).deliver_due() == 0
        failed = [read_event(row["body"]).attributes for row in process.store.outbox() if "alert.notification" in row["body"]]
        process.store.close()
    assert [(told["auditlake.outcome"], told["auditlake.alert.error"]) for told in failed] == [("failed", "status 403")]


def test_other_alerts_do_not_call_the_switch(tmp_path: Path) -> None:
    with http_server() as server:
        receiver = WebhookReceiver(name="switch", url=server.url)
        routing = read_routing(ROUTE, receivers=["on-call", "switch"])
        process = Process(tmp_path, receivers=[receiver], rules=RULES % {"wait": "0s", "keep": "0s"}, routing=routing)
        process.tick([{"agent": "a", "value": 1.0}])
        assert Courier(process.store, receiver, clock=lambda: process.now).deliver_due() == 0
        process.store.close()
    assert server.requests == []
