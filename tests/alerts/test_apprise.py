"""Apprise, by two of its services that speak to a server on loopback: plain JSON, and ntfy, which others host."""

import logging

import pytest

from alerts.errors import DeliveryFailed
from alerts.receivers.apprise import AppriseReceiver
from tests.alerts.http_server import Answer, http_server
from tests.alerts.messages import alert, message

pytestmark = pytest.mark.filterwarnings("ignore:.*imghdr:DeprecationWarning")  # one of Apprise's services imports it


def url(server_url: str, scheme: str = "json") -> str:
    return server_url.replace("http://", f"{scheme}://")


def test_a_service_gets_title_text_and_kind() -> None:
    with http_server() as server:
        target = AppriseReceiver(name="any", url=f"{url(server.url)}/in")
        target.send([message(alert("support"))])
        target.send([message(alert("support", severity="warning"))])
        target.send([message(alert("support", resolved=True))])
    assert [body["type"] for body in server.bodies] == ["failure", "warning", "success"]
    assert server.bodies[0]["title"] == "[FIRING:1] AgentDown (support run/support critical)"
    assert "support is silent" in server.bodies[0]["message"]
    assert "/run?run=run%2Fsupport" in server.bodies[0]["message"]


def test_ntfy_is_one_of_them() -> None:
    with http_server(usual=Answer(body='{"id": "1"}', content_type="application/json")) as server:
        AppriseReceiver(name="any", url=f"{url(server.url, 'ntfy')}/on-call").send([message(alert())])
    assert server.bodies[0]["topic"] == "on-call"
    assert "support is silent" in server.bodies[0]["message"]


def test_a_service_that_does_not_take_it_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), http_server(usual=Answer(status=500)) as server, pytest.raises(DeliveryFailed) as caught:
        AppriseReceiver(name="any", url=f"{url(server.url)}/token-in-a-path").send([message(alert())])
    assert (caught.value.reason, caught.value.retryable) == ("the service did not take it", True)
    assert "token-in-a-path" not in caplog.text


@pytest.mark.parametrize("nonsense", ["nothing://x", "no url at all", "discord://"])
def test_a_url_that_no_service_recognises_is_final(nonsense: str) -> None:
    with pytest.raises(DeliveryFailed) as caught:
        AppriseReceiver(name="any", url=nonsense).send([message(alert())])
    assert not caught.value.retryable
    assert nonsense not in str(caught.value)
