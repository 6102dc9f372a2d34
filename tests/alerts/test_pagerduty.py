"""PagerDuty's Events API v2: one incident a group, from its first alert to its end."""

import secrets
from hashlib import sha256

import pytest

from alerts.errors import DeliveryFailed
from alerts.payload import ACKNOWLEDGED
from alerts.receivers.pagerduty import MOST_EVENT_BYTES, PagerDutyReceiver
from tests.alerts.http_server import Answer, http_server
from tests.alerts.messages import GROUP_KEY, URL, alert, message

TAKEN = Answer(status=202, body='{"status": "success"}', content_type="application/json")
KEY = secrets.token_hex(16)


def receiver(url: str, severity: str | None = None) -> PagerDutyReceiver:
    return PagerDutyReceiver(name="pager", routing_key=KEY, url=f"{url}/v2/enqueue", severity=severity)


def test_a_group_is_triggered_acknowledged_and_resolved_as_one_incident() -> None:
    firing, resolved = alert(), alert(resolved=True)
    with http_server(usual=TAKEN) as server:
        target = receiver(server.url)
        target.send([message(firing)])
        target.send([message(firing, status=ACKNOWLEDGED, acknowledgement={"by": "ann", "comment": "on it", "at": "2026-11-21T12:01:00Z"})])
        target.send([message(resolved)])
    assert [body["event_action"] for body in server.bodies] == ["trigger", "acknowledge", "resolve"]
    assert {body["dedup_key"] for body in server.bodies} == {sha256(GROUP_KEY.encode()).hexdigest()}
    assert {body["routing_key"] for body in server.bodies} == {KEY}
    assert server.bodies[1].keys() == {"routing_key", "event_action", "dedup_key"}
    assert {request.path for request in server.requests} == {"/v2/enqueue"}


def test_what_an_incident_says() -> None:
    told = message(alert("a"), alert("b", resolved=True), alert("c", annotations={"runbook_url": "https://runbooks.test/x"}))
    with http_server(usual=TAKEN) as server:
        receiver(server.url).send([told])
    [event] = server.bodies
    details = event["payload"].pop("custom_details")
    assert event["payload"] == {
        "summary": "[FIRING:2] AgentDown (critical)",
        "source": "auditlake",
        "severity": "critical",
        "timestamp": "2026-11-21T12:00:00Z",
        "class": "AgentDown",
    }
    assert (details["num_firing"], details["num_resolved"]) == ("2", "1")
    assert "a is silent\n  since 2026-11-21T12:00:00Z\n  alertname = AgentDown\n  agent_name = a\n" in details["firing"]
    assert "b is silent" in details["resolved"]
    assert (event["client"], event["client_url"]) == ("auditlake", URL)
    assert {link["href"] for link in event["links"]} == {f"{URL}/run?run=run%2Fa", f"{URL}/run?run=run%2Fc", "https://runbooks.test/x"}


@pytest.mark.parametrize(
    ("label", "configured", "expected"),
    [("critical", None, "critical"), ("page", None, "error"), ("warning", None, "warning"), ("critical", "info", "info")],
)
def test_the_severity_is_one_that_pagerduty_knows(label: str, configured: str | None, expected: str) -> None:
    with http_server(usual=TAKEN) as server:
        receiver(server.url, configured).send([message(alert(severity=label))])
    assert server.bodies[0]["payload"]["severity"] == expected


def test_the_source_is_the_agent_that_all_alerts_have() -> None:
    with http_server(usual=TAKEN) as server:
        receiver(server.url).send([message(alert("support"))])
    assert server.bodies[0]["payload"]["source"] == "support"


def test_an_event_that_would_be_too_large_goes_without_its_list() -> None:
    large = [alert(f"agent-{number}", annotations={"description": "x" * 20_000}) for number in range(30)]
    with http_server(usual=TAKEN) as server:
        receiver(server.url).send([message(*large)])
    details = server.bodies[0]["payload"]["custom_details"]
    assert details == {"error": "the list of alerts is left out: the event would be too large", "num_firing": "30", "num_resolved": "0"}
    assert int(server.requests[0].headers["Content-Length"]) < MOST_EVENT_BYTES


@pytest.mark.parametrize(("status", "retryable"), [(429, True), (500, True), (400, False)])
def test_which_answers_may_pass(status: int, retryable: bool) -> None:
    with http_server(usual=Answer(status=status, body=KEY)) as server, pytest.raises(DeliveryFailed) as caught:
        receiver(server.url).send([message(alert())])
    assert caught.value.retryable is retryable
    assert KEY not in str(caught.value)
