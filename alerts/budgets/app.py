"""`GET /v1/budgets/{scope}` as an ASGI application: an agent asks before it spends.

Who asks is found out by the function that is handed in: the collector's own doorkeeper. Whoever has a tenant there sees the budgets of that
tenant alone. What goes wrong is told as problem details (RFC 9457), never with anything of the request in it.
"""

import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

import orjson
import structlog

from alerts.budgets.answers import Answers, Names, Wanted, answer
from alerts.budgets.model import ALL_TENANTS, Kind, Scope, scope_of
from alerts.budgets.standing import renewed

PREFIX: Final = "/v1/budgets/"
READY_PATH: Final = "/ready"
QUERY_NAMES: Final = ("amount", "tokens", "tenant")
MOST_QUERY_CHARS: Final = 2_048
RETRY_SECONDS: Final = 5
_TITLES: Final = {
    401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 422: "Unprocessable Content",
    429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable",
}  # fmt: skip

Headers = Iterable[tuple[bytes, bytes]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: `tenant` None may ask about every tenant."""

    tenant: str | None = None


class Problem(Exception):
    """Something that is told as problem details; `headers` go with it."""

    def __init__(self, status: int, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


Authorize = Callable[[Headers], Awaitable[Caller]]
"""Tells who asks by the headers of the request; raises Problem."""


class BudgetApp:
    """The application. `answers` gives how budgets stand as far as was counted, None while nothing is known yet; `clock` is aware UTC."""

    def __init__(self, answers: Callable[[], Answers | None], authorize: Authorize, names: Names, *, clock: Callable[[], datetime]) -> None:
        self._answers = answers
        self._authorize = authorize
        self._names = names
        self._clock = clock

    async def __call__(self, scope: MutableMapping[str, Any], _receive: Receive, send: Send) -> None:
        """Answer GET and HEAD of `/v1/budgets/{scope}` and of `/ready`."""
        if scope["type"] != "http":
            return
        headers: Mapping[str, str] = {}
        try:
            status, body = 200, await self._answer(scope)
        except Problem as problem:
            status, headers = problem.status, problem.headers
            body = {"type": "about:blank", "title": _TITLES[status], "status": status, "detail": problem.detail}
        except Exception as error:  # noqa: BLE001 - the boundary of the process: the asker gets an answer, the log the place
            structlog.get_logger(__name__).exception("an answer about budgets failed", error=type(error).__name__)
            status, body = 500, {"type": "about:blank", "title": _TITLES[500], "status": 500, "detail": "see the log of the alert process"}
        await _send(send, status, body, headers, head=scope["method"] == "HEAD")

    async def _answer(self, scope: MutableMapping[str, Any]) -> dict[str, Any]:
        if scope["method"] not in {"GET", "HEAD"}:
            raise Problem(405, "only GET and HEAD are allowed", headers={"allow": "GET, HEAD"})
        path = scope.get("raw_path", scope["path"].encode()).partition(b"?")[0].decode("latin-1")
        if path == READY_PATH:
            self._known()
            return {"status": "ready"}
        if not path.startswith(PREFIX):
            raise Problem(404, f"unknown path: ask for {PREFIX}agent:NAME, user:NAME or tenant:NAME")
        caller = await self._authorize(scope["headers"])
        asked, wanted = _asked(path, scope["query_string"], caller)
        names = self._names(asked.subject) if asked.kind is Kind.USER else (asked.subject,)
        known, now = self._known(), self._clock()
        found = [renewed(standing, at=now) for standing in known.of(asked, names)]
        if not found:
            of_tenant = f" in the tenant {asked.tenant}" if asked.tenant else ""
            raise Problem(404, f"there is no such budget{of_tenant}: auditlake budget list names those that there are")
        age_seconds = max((now - known.as_of).total_seconds(), 0.0)
        return {**answer(found, wanted), "age_seconds": round(age_seconds, 1)}

    def _known(self) -> Answers:
        answers = self._answers()
        if answers is None:
            why = "what was spent is being counted: ask again in a moment"
            raise Problem(503, why, headers={"retry-after": str(RETRY_SECONDS)})
        return answers


def _asked(path: str, query: bytes, caller: Caller) -> tuple[Scope, Wanted]:
    """Return whose budget is asked for, and how much is wanted; raises Problem."""
    said = _query(query)
    tenant = said.get("tenant", caller.tenant or ALL_TENANTS)
    try:
        asked = scope_of(unquote(path.removeprefix(PREFIX), errors="strict"), tenant)
        wanted = Wanted(usd=_number(said, "amount"), tokens=_number(said, "tokens"))
    except ValueError as error:
        told = "the name is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise Problem(422, told) from None
    if caller.tenant is not None and (tenant != caller.tenant or (asked.kind is Kind.TENANT and asked.subject != caller.tenant)):
        raise Problem(403, "your token is of another tenant")
    return asked, wanted


def _query(query: bytes) -> dict[str, str]:
    if len(query) > MOST_QUERY_CHARS:
        raise Problem(422, f"the query is longer than {MOST_QUERY_CHARS} characters")
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, strict_parsing=bool(query), errors="strict", max_num_fields=8)
    except ValueError:
        raise Problem(422, "the query is not of the form name=value&name=value") from None
    said = dict(pairs)
    if len(said) < len(pairs) or not said.keys() <= set(QUERY_NAMES):
        raise Problem(422, f"the query may have {', '.join(QUERY_NAMES)}, each once")
    return said


def _number(said: Mapping[str, str], name: str) -> float:
    try:
        number = float(said.get(name, "0"))
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"{name} must be a number, 0 or more")
    return number


async def _send(send: Send, status: int, body: Mapping[str, Any], headers: Mapping[str, str], *, head: bool) -> None:
    content = orjson.dumps(body)
    kind = "application/json" if status == 200 else "application/problem+json"
    told = {"content-type": kind, "content-length": str(len(content)), "cache-control": "no-store", **headers}
    raw = [(name.encode(), value.encode("latin-1")) for name, value in told.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": b"" if head else content})
