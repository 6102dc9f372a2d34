"""`budget()`: asks, before something is spent, whether enough is left."""

import http.client
import json
import os
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from auditlake import _state
from auditlake._errors import BudgetError
from auditlake._headers import request_headers
from auditlake._settings import Settings

_HINTS = {
    401: "a token is wanted: headers= of configure(), or OTEL_EXPORTER_OTLP_HEADERS",
    403: "the token is of another tenant",
    422: "write agent:NAME, user:NAME or tenant:NAME, and amounts of 0 or more",
    503: "what was spent is being counted: ask again in a moment",
}
_NO_ADDRESS = "give its address, such as http://127.0.0.1:8503, as budget_endpoint= of configure()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The answer: of several budgets of one scope the one that leaves least. Without a budget everything is allowed, the rest is None."""

    allowed: bool  # whether the amount fits into what is left of all budgets of the scope
    remaining: float | None = None  # in `unit`
    limit: float | None = None
    unit: str | None = None  # usd or tokens
    period_end: str | None = None  # RFC 3339: when the limit begins anew
    as_of: str | None = None  # RFC 3339: what was spent later is not counted yet


def budget(scope: str, amount: float = 0.0, *, tokens: float = 0.0, tenant: str | None = None, timeout_seconds: float = 1.0) -> Budget:
    """Return whether `amount` (US dollars) and `tokens` may be spent by `scope`: `agent:support`, `user:…`, `tenant:acme`.

    It is no reservation: several that ask at once may all be allowed. Raises `BudgetError`, with the remedy, when there is no answer:
    whether to go on without one is for the caller to say.
    """
    client = _state.current()
    if client is None:
        raise BudgetError("ask for the budget", scope, hint="call auditlake.configure(…) first")
    asked = {"amount": repr(float(amount)), "tokens": repr(float(tokens)), **({} if tenant is None else {"tenant": tenant})}
    status, answer = _get(client.settings, f"/v1/budgets/{quote(scope, safe='')}?{urlencode(asked)}", timeout_seconds)
    if status == 404 and isinstance(answer, dict) and answer.get("status") == 404:  # else something else answers at this address
        return Budget(allowed=True)
    if status != 200 or not isinstance(answer, dict):
        raise BudgetError(f"ask for the budget (status {status})", scope, hint=_HINTS.get(status, _NO_ADDRESS))
    told = {name: answer.get(name) for name in ("remaining", "limit", "unit", "period_end", "as_of")}
    return Budget(allowed=answer.get("allowed") is True, **told)


def _get(settings: Settings, path: str, timeout_seconds: float) -> tuple[int, Any]:
    """Return status and JSON of an answer; raises BudgetError when there is none."""
    parts = urlsplit(settings.budget_endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BudgetError("ask for the budget", settings.budget_endpoint, hint=_NO_ADDRESS)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=settings.certificate_file)
        connection = http.client.HTTPSConnection(parts.hostname, parts.port or 443, timeout=timeout_seconds, context=context)
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=timeout_seconds)
    try:
        connection.request("GET", parts.path.rstrip("/") + path, headers=request_headers(settings.headers, os.environ))
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        hint = f"{type(error).__name__}: is `auditlake alerts run` up, and is there a budget? {_NO_ADDRESS}"
        raise BudgetError("ask for the budget", settings.budget_endpoint, hint=hint) from None
    finally:
        connection.close()
