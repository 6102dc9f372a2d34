"""What every receiver that speaks HTTP has in common, shown with the webhook: over real connections, on loopback."""

import base64
import secrets
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from alerts.errors import DeliveryFailed
from alerts.receivers.attempt import within
from alerts.receivers.http import Authorization, Http, Tls
from alerts.receivers.secret import SecretFile
from alerts.receivers.webhook import WebhookReceiver
from tests.alerts.http_server import Answer, http_server
from tests.alerts.messages import alert, message
from tests.collector.certificates import pair


def test_the_message_is_sent_as_it_is_with_its_key() -> None:
    told = message(alert())
    with http_server() as server:
        WebhookReceiver(name="on-call", url=f"{server.url}/hook?team=a").send([told])
    [request] = server.requests
    assert (request.path, request.headers["Idempotency-Key"]) == ("/hook?team=a", "key-1")
    assert request.body["groupKey"] == '{}:{alertname="AgentDown"}'
    assert "Authorization" not in request.headers


def test_alerts_after_the_most_that_are_wanted_are_counted() -> None:
    with http_server() as server:
        WebhookReceiver(name="on-call", url=server.url, max_alerts=2).send([message(alert("a"), alert("b"), alert("c"))])
    [body] = server.bodies
    assert (len(body["alerts"]), body["truncatedAlerts"]) == (2, 1)


@pytest.mark.parametrize("username", [None, "lake"])
def test_credentials_go_into_the_header_and_nowhere_else(username: str | None) -> None:
    secret = secrets.token_hex(8)
    authorization = Authorization(credentials=secret, username=username)
    with http_server(usual=Answer(status=401, body=secret)) as server:
        target = WebhookReceiver(name="on-call", url=server.url, http=Http(authorization=authorization))
        with pytest.raises(DeliveryFailed) as caught:
            target.send([message(alert())])
    expected = f"Bearer {secret}" if username is None else "Basic " + base64.b64encode(f"lake:{secret}".encode()).decode()
    assert server.requests[0].headers["Authorization"] == expected
    assert secret not in f"{caught.value} {target!r}"


def test_a_secret_in_a_file_is_read_for_each_notification(tmp_path: Path) -> None:
    """It can be replaced while the process runs; while it is not there, messages wait."""
    file = tmp_path / "url"
    with http_server() as server:
        target = WebhookReceiver(name="on-call", url=SecretFile(file))
        with pytest.raises(DeliveryFailed, match="url cannot be read or is empty") as caught:
            target.send([message(alert())])
        for path in ("/old", "/new"):
            file.write_text(f"{server.url}{path}\n")
            target.send([message(alert())])
    assert caught.value.retryable
    assert [request.path for request in server.requests] == ["/old", "/new"]


def test_a_certificate_is_checked(tmp_path: Path) -> None:
    authority = pair("authority")
    ca_file, _ = authority.write(tmp_path, "ca")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair("server", authority).write(tmp_path, "server"))
    with http_server(tls=context) as server:
        with pytest.raises(DeliveryFailed) as caught:
            WebhookReceiver(name="on-call", url=server.url).send([message(alert())])
        for tls in (Tls(ca_file=ca_file), Tls(insecure_skip_verify=True)):
            WebhookReceiver(name="on-call", url=server.url, http=Http(tls=tls)).send([message(alert())])
    assert caught.value.retryable
    assert len(server.requests) == 2


def test_an_attempt_ends_although_the_receiver_goes_on_to_say_a_little() -> None:
    """Each byte comes in time; all of them do not."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def dribble() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while not ended.wait(0.02):
                connection.sendall(b".")

    thread = threading.Thread(target=dribble)
    thread.start()
    target = WebhookReceiver(name="on-call", url=f"http://127.0.0.1:{listener.getsockname()[1]}/", http=Http(timeout_seconds=0.2))
    with pytest.raises(DeliveryFailed, match="TimeoutError"):
        target.send([message(alert())])
    ended.set()
    thread.join(10)
    listener.close()


def test_what_an_attempt_returns_or_raises_comes_back() -> None:
    assert within(10, lambda: 7) == 7
    with pytest.raises(KeyError):
        within(10, lambda: {}["nothing"])


@pytest.mark.parametrize(("ahead", "least", "most"), [(7, 7, 7), (86400, 300, 300), (100, 100, 100), (-100, 0, 0)])
def test_a_receiver_may_ask_for_patience(ahead: int, least: float, most: float) -> None:
    """In seconds or as a date; nobody makes us wait for longer than five minutes."""
    said = [format_datetime(datetime.now(UTC) + timedelta(seconds=ahead)), *([str(ahead)] if ahead > 0 else [])]
    for text in said:
        with http_server(usual=Answer(status=503, headers={"Retry-After": text})) as server, pytest.raises(DeliveryFailed) as caught:
            WebhookReceiver(name="on-call", url=server.url).send([message(alert())])
        assert caught.value.retryable
        assert (max(least - 60, 0) if text is said[0] else least) <= (caught.value.asked_seconds or 0) <= most


def test_nonsense_about_patience_is_ignored() -> None:
    with http_server(usual=Answer(status=503, headers={"Retry-After": "soon"})) as server, pytest.raises(DeliveryFailed) as caught:
        WebhookReceiver(name="on-call", url=server.url).send([message(alert())])
    assert caught.value.asked_seconds is None
