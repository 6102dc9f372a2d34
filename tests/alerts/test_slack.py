"""Slack: what is posted, what Slack cannot be made to do by a label, and which of its answers mean that it did not take a message."""

import secrets

import pytest

from alerts.errors import DeliveryFailed
from alerts.receivers.http import Authorization, Http
from alerts.receivers.slack import SlackReceiver
from tests.alerts.http_server import Answer, http_server
from tests.alerts.messages import URL, alert, message

OK = Answer(body="ok")


def test_a_message_has_a_title_the_alerts_and_links() -> None:
    told = message(alert("billing", resolved=True), alert("support", annotations={"runbook": "https://runbooks.test/agent-down"}))
    with http_server(usual=OK) as server:
        SlackReceiver(name="chat", url=f"{server.url}/services/T/B/x", channel="#on-call", icon_emoji=":fire:").send([told])
    [request] = server.requests
    [attachment] = request.body["attachments"]
    assert request.path == "/services/T/B/x"
    assert {name: request.body[name] for name in ("channel", "icon_emoji")} == {"channel": "#on-call", "icon_emoji": ":fire:"}
    assert (attachment["title"], attachment["title_link"]) == ("[FIRING:1] AgentDown (critical)", URL)
    assert (attachment["color"], attachment["fallback"]) == ("danger", f"[FIRING:1] AgentDown (critical) | {URL}")
    assert attachment["text"].splitlines() == [
        f"*<{URL}/run?run=run%2Fsupport|support is silent>*",
        "`alertname=AgentDown` `agent_name=support` `run_id=run/support` `severity=critical`",
        "<https://runbooks.test/agent-down|runbook>",
        f"resolved: *<{URL}/run?run=run%2Fbilling|billing is silent>*",
        "`alertname=AgentDown` `agent_name=billing` `run_id=run/billing` `severity=critical`",
    ]


def test_when_all_resolved_it_is_good() -> None:
    with http_server(usual=OK) as server:
        SlackReceiver(name="chat", url=server.url).send([message(alert(resolved=True))])
    [attachment] = server.bodies[0]["attachments"]
    assert (attachment["color"], attachment["title"].split()[0]) == ("good", "[RESOLVED]")


def test_no_label_can_mention_anybody_or_be_a_link() -> None:
    with http_server(usual=OK) as server:
        SlackReceiver(name="chat", url=server.url).send([message(alert("<!channel> & <https://evil.test|x>"))])
    text = server.bodies[0]["attachments"][0]["text"]
    assert "<!channel" not in text
    assert "<https://evil" not in text
    assert "&lt;!channel&gt; &amp; " in text


def test_of_many_alerts_whole_ones_are_told_and_the_others_are_counted() -> None:
    many = [alert(f"agent-{number}", annotations={"description": "x" * 400}) for number in range(30)]
    with http_server(usual=OK) as server:
        SlackReceiver(name="chat", url=server.url).send([message(*many)])
    text = server.bodies[0]["attachments"][0]["text"]
    shown = text.count("is silent>*")
    assert text.splitlines()[-1] == f"and {30 - shown} more firing"
    assert 0 < shown < 10
    assert len(text) < 3100


@pytest.mark.parametrize(
    ("answer", "reason", "retryable"),
    [
        (Answer(body="invalid_payload"), "Slack says invalid_payload", False),
        (Answer(body="<html>a proxy</html>"), "Slack says no", False),
        (
            Answer(body='{"ok": false, "error": "channel_not_found"}', content_type="application/json"),
            "Slack says channel_not_found",
            False,
        ),
        (Answer(body='{"ok": false, "error": "ratelimited"}', content_type="application/json"), "Slack says ratelimited", True),
        (Answer(body='{"ok": false, "error": "something_else"}', content_type="application/json"), "Slack says no", False),
        (Answer(body="{", content_type="application/json"), "Slack says something that is no JSON", False),
        (Answer(status=410, body="channel_is_archived"), "status 410", False),
        (Answer(status=500), "status 500", True),
    ],
)
def test_an_answer_may_say_that_it_was_not_taken(answer: Answer, reason: str, retryable: bool) -> None:
    with http_server(usual=answer) as server, pytest.raises(DeliveryFailed) as caught:
        SlackReceiver(name="chat", url=server.url).send([message(alert())])
    assert (caught.value.reason, caught.value.retryable) == (reason, retryable)


def test_the_web_api_takes_a_token() -> None:
    token = secrets.token_hex(8)
    with http_server(usual=Answer(body='{"ok": true, "ts": "1.2"}', content_type="application/json; charset=utf-8")) as server:
        target = SlackReceiver(
            name="chat", url=f"{server.url}/api/chat.postMessage", http=Http(authorization=Authorization(credentials=token))
        )
        target.send([message(alert())])
    assert server.requests[0].headers["Authorization"] == f"Bearer {token}"
    assert token not in repr(target)
