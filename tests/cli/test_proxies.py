"""A proxy in the environment is for the world outside: what runs on this machine is reached without it."""

import urllib.request
from collections.abc import Iterator

import pytest

from cli.commands.demo import past_proxies
from cli.commands.doctor import _answers
from tests.loopback import answering


@pytest.fixture
def endpoint() -> Iterator[str]:
    with answering(200, "application/json") as found:
        yield found


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
