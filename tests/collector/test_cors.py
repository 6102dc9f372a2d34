"""Pages may send from browsers when their origin is allowed; nothing is said to others."""

from collections.abc import Iterator

import httpx
import pytest
from pydantic import ValidationError

from collector.config_admission import CorsConfig
from collector.receipts import HEADER
from tests.collector.served import CONFIG, PROTOBUF, Served, a_trace

CORS = (
    "cors: {allowed_origins: ['https://app.example.com', 'https://*.shop.example.com', 'http://localhost:*'], "
    "allowed_headers: [Authorization], exposed_headers: [Retry-After], max_age: 600}"
)
AUTH = "auth: {authenticator: bearertokenauth}"
GUARDED = (
    CONFIG.replace('http: {endpoint: "127.0.0.1:0"', f'http: {{endpoint: "127.0.0.1:0", {CORS}, {AUTH}')
    .replace("\nextensions:\n", "\nextensions:\n  bearertokenauth: {token: a-token-of-pages}\n")
    .replace("[health_check]", "[health_check, bearertokenauth]")
)
TOKEN = {"authorization": "Bearer a-token-of-pages"}
APP = {"origin": "https://app.example.com"}


@pytest.fixture(scope="module")
def guarded() -> Iterator[Served]:
    running = Served(GUARDED)
    yield running
    running.close()


@pytest.fixture(scope="module")
def anywhere() -> Iterator[Served]:
    running = Served(CONFIG.replace('http: {endpoint: "127.0.0.1:0"', 'http: {endpoint: "127.0.0.1:0", cors: {allowed_origins: ["*"]}'))
    yield running
    running.close()


def preflight(served: Served, origin: str, headers: str = "content-type,authorization", method: str = "POST") -> httpx.Response:
    asked = {"origin": origin, "access-control-request-method": method, "access-control-request-headers": headers}
    return httpx.options(served.url + "/v1/traces", headers=asked)


def said(answer: httpx.Response) -> dict[str, str]:
    """What an answer says to browsers."""
    return {name.removeprefix("access-control-"): value for name, value in answer.headers.items() if name.startswith("access-control-")}


def test_a_preflight_of_an_allowed_page_is_answered_without_credentials(guarded: Served) -> None:
    answer = preflight(guarded, "https://app.example.com")
    assert (answer.status_code, answer.content) == (204, b"")
    assert said(answer) == {
        "allow-origin": "https://app.example.com",
        "allow-credentials": "true",
        "allow-methods": "POST",
        "allow-headers": "content-type, authorization",
        "max-age": "600",
    }
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize(
    "origin",
    ["https://APP.example.com", "https://a.shop.example.com", "https://a.b.shop.example.com", "http://localhost:3000"],
)
def test_origins_match_whatever_their_case_and_by_wildcards(guarded: Served, origin: str) -> None:
    assert said(preflight(guarded, origin))["allow-origin"] == origin


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.com",
        "http://app.example.com",
        "https://app.example.com.evil.com",
        "https://app.example.com:444",
        "https://shop.example.com",
        "https://evil.com/.shop.example.com",
        "https://evil.com?.shop.example.com",
        "https://evil.com#.shop.example.com",
        "https://user@evil.com@.shop.example.com",
        "https://appxexample.com",
        "null",
        "*",
    ],
)
def test_nothing_is_said_to_other_origins(guarded: Served, origin: str) -> None:
    assert said(preflight(guarded, origin)) == {}
    answer = guarded.post("/v1/traces", a_trace(origin), PROTOBUF | TOKEN | {"origin": origin})
    assert (answer.status_code, said(answer)) == (200, {})
    assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize(("headers", "method"), [("x-secret", "POST"), ("content-type", "DELETE")])
def test_a_preflight_that_asks_for_more_than_is_allowed_is_told_nothing(guarded: Served, headers: str, method: str) -> None:
    assert said(preflight(guarded, "https://app.example.com", headers, method)) == {}


def test_a_page_sends_and_may_read_the_answer_and_refusals_too(guarded: Served) -> None:
    answer = guarded.post("/v1/traces", a_trace("page"), PROTOBUF | TOKEN | APP)
    assert answer.status_code == 200
    assert said(answer) == {"allow-origin": APP["origin"], "allow-credentials": "true", "expose-headers": "Retry-After"}
    refused = guarded.post("/v1/traces", a_trace("page"), PROTOBUF | APP)
    assert (refused.status_code, said(refused)["allow-origin"]) == (401, APP["origin"])


def test_options_without_a_preflight_is_a_request_like_others(guarded: Served) -> None:
    assert httpx.options(guarded.url + "/v1/traces", headers=APP).status_code == 401
    assert httpx.options(guarded.url + "/v1/traces", headers=TOKEN).status_code == 405


def test_who_allows_everybody_lets_no_browser_credentials_in(anywhere: Served) -> None:
    answer = preflight(anywhere, "https://any.example.org", "content-type")
    assert said(answer) == {"allow-origin": "*", "allow-methods": "POST", "allow-headers": "content-type"}
    assert said(preflight(anywhere, "https://any.example.org", "authorization")) == {}
    told = said(anywhere.post("/v1/traces", a_trace("*"), PROTOBUF | {"origin": "null"}))
    assert told == {"allow-origin": "*", "expose-headers": HEADER}, "pages read the receipt unless it is set otherwise"


def test_without_cors_nothing_is_said_to_any_page() -> None:
    running = Served()
    try:
        assert said(preflight(running, "https://app.example.com")) == {}
        assert said(running.post("/v1/traces", a_trace(), PROTOBUF | APP)) == {}
    finally:
        running.close()


@pytest.mark.parametrize("origin", ["app.example.com", "https://app.example.com/", "https://a b", "", "ftp://x"])
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError, match="must be an origin"):
        CorsConfig(allowed_origins=[origin])
