"""`GET /v1/budgets/{scope}`: a real server on loopback, with the collector's tokens and tenants."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from alerts.budgets.answers import Answers
from alerts.budgets.model import Budget, Kind, Period, Scope, Unit
from alerts.budgets.standing import Cell, Ledger
from cli.budget_endpoint import budget_endpoint, user_names
from collector.config import Config, ConfigError, parse
from collector.web import bind
from redaction.pseudonym import load_or_create_key, pseudonym
from tests.tokens import made_token

NOW = datetime(2026, 11, 16, 12, tzinfo=UTC)
MAIL = "alice.lidell@example.com"
OPERATOR, ACME, OTHER = (made_token(f"budgets of {name}") for name in ("an operator", "acme", "another tenant"))
CONFIG = """
receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:0", {auth}}}}}}}}}
processors: {{redaction: {{}}}}
exporters: {{parquet: {{path: unused}}}}
extensions:
  bearertokenauth:
    tokens:
      - {{name: operator, token: {operator}}}
      - {{name: acme-agents, tenant: acme, token: {acme}}}
      - {{name: others, tenant: other, token: {other}}}
  alerts: {{budget_endpoint: "{endpoint}"}}
service:
  extensions: [bearertokenauth, alerts]
  pipelines: {{traces: {{receivers: [otlp], processors: [redaction], exporters: [parquet]}}}}
"""


def config(*, auth: bool = True, endpoint: str = "127.0.0.1:0") -> Config:
    guarded = "auth: {authenticator: bearertokenauth}" if auth else ""
    return parse(CONFIG.format(auth=guarded, operator=OPERATOR, acme=ACME, other=OTHER, endpoint=endpoint), "test.yaml", {})


def answers(alice: str) -> Answers:
    def cell(usd: float, **more: str) -> Cell:
        return Cell(**{"tenant": "acme", "agent": "support", "user": alice, **more}, usd=usd, tokens=100, calls=1, unpriced=1, unmetered=0)

    def budget(kind: Kind, subject: str, limit: float, tenant: str = "", period: Period = Period.MONTH) -> Budget:
        return Budget(scope=Scope(kind=kind, subject=subject, tenant=tenant), period=period, unit=Unit.USD, limit=limit)

    ledger = Ledger()
    ledger.replace(NOW.date(), [cell(82.5), cell(20, agent="a/b ü"), cell(7, tenant="other")])
    budgets = [
        budget(Kind.AGENT, "support", 100),
        budget(Kind.AGENT, "support", 90, "acme"),
        budget(Kind.AGENT, "a/b ü", 20),
        budget(Kind.TENANT, "acme", 1000),
        budget(Kind.TENANT, "other", 7),
        budget(Kind.USER, "*", 500),
    ]
    return Answers(budgets, ledger, as_of=NOW)


class Asked:
    """The server, and a client of it."""

    def __init__(self, port: int) -> None:
        self.known: Answers | None = None
        self.now = NOW
        self.port = port
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False)

    def get(self, path: str, token: str | None = OPERATOR, method: str = "GET") -> httpx.Response:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return self._client.request(method, path, headers=headers)

    def ok(self, path: str, token: str | None = OPERATOR) -> dict[str, Any]:
        response = self.get(path, token)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "application/json"
        told: dict[str, Any] = response.json()
        return told

    def refused(self, path: str, token: str | None = OPERATOR, method: str = "GET") -> tuple[int, str]:
        response = self.get(path, token, method)
        assert response.headers["content-type"] == "application/problem+json"
        told = response.json()
        assert (told["type"], told["status"]) == ("about:blank", response.status_code)
        assert told["title"]
        return response.status_code, told["detail"]

    def close(self) -> None:
        self._client.close()


@contextmanager
def served(data: Path, *, auth: bool = True) -> Iterator[Asked]:
    holder: list[Asked] = []

    def known() -> Answers | None:
        return holder[0].known if holder else None

    names = user_names(config(), data)
    with budget_endpoint(config(auth=auth), "127.0.0.1:0", names, known, clock=lambda: holder[0].now) as port:
        holder.append(Asked(port))
        holder[0].known = answers(pseudonym(load_or_create_key(data / "keys" / "pseudonym.key"), "EMAIL_ADDRESS", MAIL))
        try:
            yield holder[0]
        finally:
            holder[0].close()


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    with served(tmp_path_factory.mktemp("asked")) as found:
        yield found


def test_an_answer_says_whether_it_is_allowed_what_is_left_until_when_and_as_of_when(asked: Asked) -> None:
    told = asked.ok("/v1/budgets/agent:support?amount=10")
    assert {name: told[name] for name in ("scope", "tenant", "allowed", "decision", "limit", "spent", "remaining", "unit", "period")} == {
        "scope": "agent:support",
        "tenant": None,
        "allowed": True,
        "decision": "allowed",
        "limit": 100,
        "spent": 89.5,
        "remaining": 10.5,
        "unit": "usd",
        "period": "month",
    }
    assert (told["period_end"], told["as_of"]) == ("2026-12-01T00:00:00.000000Z", "2026-11-16T12:00:00.000000Z")
    assert told["unknown_calls"] == 2
    assert asked.ok("/v1/budgets/agent:support?amount=10.5")["allowed"]
    assert asked.ok("/v1/budgets/agent:support?amount=10.51")["decision"] == "denied"
    assert asked.ok("/v1/budgets/tenant:other")["allowed"] is False


def test_a_name_may_have_any_letters(asked: Asked) -> None:
    assert asked.ok("/v1/budgets/agent%3Aa%2Fb%20%C3%BC")["remaining"] == 0
    assert asked.ok("/v1/budgets/agent:a/b%20%C3%BC")["remaining"] == 0


def test_a_user_is_known_by_the_original_and_by_the_pseudonym_and_the_original_is_not_told_back(asked: Asked) -> None:
    original = asked.get(f"/v1/budgets/user:{MAIL.upper()}")
    told = original.json()
    assert (told["spent"], told["remaining"]) == (109.5, 390.5)
    assert MAIL not in original.text.lower()
    assert asked.ok(f"/v1/budgets/{told['scope']}") == told
    stranger = asked.get("/v1/budgets/user:mad.hatter@example.com")
    assert (stranger.json()["scope"], stranger.json()["spent"]) == ("user:*", 0)
    assert "hatter" not in stranger.text


def test_without_a_token_or_with_a_wrong_one_nothing_is_told(asked: Asked) -> None:
    for token in (None, made_token("nobody's")):
        status, detail = asked.refused("/v1/budgets/agent:support", token)
        assert status == 401
        assert "Bearer" in detail
    assert asked.get("/v1/budgets/agent:support", None).headers["www-authenticate"].startswith("Bearer")


def test_a_token_of_a_tenant_sees_that_tenant_alone(asked: Asked) -> None:
    """The same path means the tenant's own budget; that of all tenants, whose sums hold others' spending, is none of its business."""
    own = asked.ok("/v1/budgets/agent:support", ACME)
    assert (own["tenant"], own["limit"], own["spent"]) == ("acme", 90, 82.5)
    assert asked.ok("/v1/budgets/tenant:acme", ACME)["limit"] == 1000
    assert asked.ok("/v1/budgets/agent:support?tenant=acme") == own
    assert asked.refused("/v1/budgets/tenant:other", ACME)[0] == 403
    assert asked.refused("/v1/budgets/tenant:nobody", ACME)[0] == 403
    assert asked.refused("/v1/budgets/agent:support?tenant=acme", OTHER)[0] == 403
    assert asked.refused("/v1/budgets/agent:support?tenant=", OTHER)[0] == 403
    assert asked.refused("/v1/budgets/agent:support", OTHER)[0] == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 404),
        ("/v1/budgets", 404),
        ("/v1/budgets/agent:nobody", 404),
        ("/v1/budgets/", 422),
        ("/v1/budgets/support", 422),
        ("/v1/budgets/agent:", 422),
        ("/v1/budgets/agent:%ff", 422),
        ("/v1/budgets/agent:support?amount=-1", 422),
        ("/v1/budgets/agent:support?amount=nan", 422),
        ("/v1/budgets/agent:support?amount=much", 422),
        ("/v1/budgets/agent:support?amount=1&amount=2", 422),
        ("/v1/budgets/agent:support?sum=1", 422),
        ("/v1/budgets/agent:support?amount", 422),
    ],
)
def test_what_cannot_be_answered_is_a_problem_that_says_why(asked: Asked, path: str, status: int) -> None:
    found, detail = asked.refused(path)
    assert found == status
    assert len(detail) > 10
    assert "much" not in detail


def test_only_reading_is_allowed(asked: Asked) -> None:
    assert asked.refused("/v1/budgets/agent:support", method="POST")[0] == 405
    response = asked.get("/v1/budgets/agent:support", method="HEAD")
    assert (response.status_code, response.content) == (200, b"")


def test_until_spending_is_counted_it_says_when_to_ask_again(asked: Asked) -> None:
    known, asked.known = asked.known, None
    try:
        response = asked.get("/v1/budgets/agent:support")
        assert (response.status_code, response.headers["retry-after"]) == (503, "5")
        assert asked.get("/ready", None).status_code == 503
        assert asked.refused("/v1/budgets/agent:support", None)[0] == 401
    finally:
        asked.known = known
    assert asked.get("/ready", None).status_code == 200


def test_while_nothing_can_be_counted_an_answer_says_how_old_it_is_and_a_new_period_begins_all_the_same(asked: Asked) -> None:
    """What was spent last month denies nobody anything this month."""
    try:
        asked.now = NOW + timedelta(hours=2)
        told = asked.ok("/v1/budgets/tenant:other")
        assert (told["allowed"], told["spent"], told["age_seconds"]) == (False, 7, 7200)
        asked.now = datetime(2026, 12, 1, 0, 0, 1, tzinfo=UTC)
        told = asked.ok("/v1/budgets/tenant:other?amount=7")
        assert (told["allowed"], told["spent"], told["as_of"]) == (True, 0, "2026-11-16T12:00:00.000000Z")
        assert (told["period_start"], told["period_end"]) == ("2026-12-01T00:00:00.000000Z", "2027-01-01T00:00:00.000000Z")
    finally:
        asked.now = NOW


def test_where_senders_need_no_token_nobody_needs_one_on_loopback(tmp_path: Path) -> None:
    with served(tmp_path, auth=False) as open_to_all:
        assert open_to_all.ok("/v1/budgets/tenant:other", None)["limit"] == 7


def test_many_may_ask_at_once(asked: Asked) -> None:
    found: list[int] = []

    def ask() -> None:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{asked.port}", trust_env=False, headers={"authorization": f"Bearer {ACME}"}
        ) as client:
            found.extend(client.get("/v1/budgets/tenant:acme?amount=1").status_code for _ in range(20))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [200] * 80


def test_an_answer_is_sent_at_once() -> None:
    """asyncio turns Nagle's algorithm off where the socket says that it is TCP: head and body would wait 40 ms for each other."""
    bound = bind("127.0.0.1:0", "a test")
    bound.close()
    assert bound.proto == socket.IPPROTO_TCP


def test_other_machines_may_not_reach_it_without_authentication() -> None:
    for endpoint in (":8503", "0.0.0.0:8503", "192.0.2.1:8503"):
        with pytest.raises(ConfigError, match=r"extensions\.alerts\.budget_endpoint: .*nobody has to authenticate"):
            config(auth=False, endpoint=endpoint)
        loaded = config(endpoint=endpoint).alerts
        assert loaded is not None
        assert loaded.budget_endpoint == endpoint
    off = config(auth=False, endpoint="").alerts
    assert off is not None
    assert off.budget_endpoint == ""
