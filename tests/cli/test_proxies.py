"""A proxy in the environment is for the world outside: what runs on this machine is reached without it."""

import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cli.commands.demo import past_proxies
from cli.commands.doctor import _answers


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def endpoint() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(autouse=True)
def proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


def test_the_doctor_finds_the_collector(endpoint: str) -> None:
    assert _answers(endpoint)


@pytest.mark.parametrize("before", [{}, {"NO_PROXY": "example.org"}])
def test_sample_agents_reach_the_collector(before: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, hosts in past_proxies(before).items():
        monkeypatch.setenv(name, hosts)
    assert urllib.request.proxy_bypass("127.0.0.1:4318")
    assert past_proxies(before)["NO_PROXY"].startswith(before.get("NO_PROXY", ""))
