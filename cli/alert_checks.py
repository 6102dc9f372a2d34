"""What `auditlake doctor` says of the alerts: whether somebody evaluates the rules, and whether what they say reaches anyone."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cli.commands.doctor import Check

if TYPE_CHECKING:
    from alerts.state import AlertStore, RuleStatus

START = "start `auditlake up` or `auditlake alerts run`"


def alerts(directory: Path, now_ns: int, *, configured: bool) -> Iterator[Check]:
    """Whether the scheduler lives and keeps up, which rules are in error, and what was not delivered.

    A scheduler that is dead or stuck is a failure while a collector runs: records come in and nobody looks. `configured`: the
    configuration enables alerts.
    """
    from alerts.errors import AlertsError
    from alerts.state import FILE_NAME, AlertStore
    from storage.durable import held_here

    collecting = held_here((directory / "wal").rglob("LOCK"))
    if not (directory / FILE_NAME).exists():
        if configured and collecting:
            yield Check(check="alerts", state="failed", finding="a collector runs, and no rule was ever evaluated", remedy=START)
        return
    try:
        store = AlertStore.open(directory, read_only=True)
    except AlertsError as error:
        yield Check(check="alerts", state="failed", finding=str(error), remedy=error.hint)
        return
    try:
        rules = store.rules()
        yield from _errors(rules)
        yield from _scheduler(rules, datetime.fromtimestamp(now_ns / 1e9, UTC), directory, collecting=collecting)
        yield from _deliveries(store)
    finally:
        store.close()


def budgets(directory: Path, endpoint: str, *, encrypted: bool) -> Iterator[Check]:
    """Whether agents are answered before they spend, where there are budgets and the scheduler runs. `endpoint` is empty: nobody is to ask.

    Of an `encrypted` endpoint it is only seen that something listens.
    """
    from alerts.scheduler import LEASE_FILE
    from storage.durable import held_here

    if not endpoint or not held_here([directory / LEASE_FILE]) or not (number := _number_of_budgets(directory)):
        return
    state, said = _answers(endpoint, encrypted=encrypted)
    remedy = "its log says why; when another process has the port, choose another `budget_endpoint`" if state == "failed" else ""
    yield Check(check="budgets", state=state, finding=f"{number} set; {said} at {endpoint}", remedy=remedy)


def _number_of_budgets(directory: Path) -> int:
    from alerts.budgets.store import BudgetStore
    from alerts.errors import AlertsError

    try:
        store = BudgetStore.open(directory, read_only=True)
    except AlertsError:  # `alerts` says so
        return 0
    try:
        return 0 if store.is_empty() else len(store.budgets())
    finally:
        store.close()


def _answers(endpoint: str, *, encrypted: bool) -> tuple[str, str]:
    """Return the state of the endpoint, and what was found at it."""
    import httpx

    from cli.commands.dashboard import url
    from cli.commands.validate import is_free
    from collector.config_fields import host_port

    host, port = host_port(endpoint)
    if is_free(host, port):
        return "failed", "the alert process runs, and nobody answers agents that ask"
    if encrypted:
        return "ok", "something listens"
    try:
        answer = httpx.get(f"{url(host, port)}/ready", timeout=2, trust_env=False)
    except httpx.HTTPError:
        return "failed", "something else than the alert process listens"
    if answer.headers.get("content-type") not in {"application/json", "application/problem+json"}:
        return "failed", "something else than the alert process listens"
    return "ok", "agents are answered" if answer.status_code == httpx.codes.OK else "what was spent is being counted"


def _errors(rules: Sequence["RuleStatus"]) -> Iterator[Check]:
    broken = sorted({rule.alertname for rule in rules if rule.error})
    if broken:
        finding = f"rules in error: {', '.join(broken)}"
        yield Check(check="alerts", state="failed", finding=finding, remedy="`auditlake alerts list` says why")


def _scheduler(rules: Sequence["RuleStatus"], now: datetime, directory: Path, *, collecting: bool) -> Iterator[Check]:
    from alerts.listing import is_late
    from alerts.scheduler import LEASE_FILE
    from storage.durable import held_here

    evaluated = [rule.evaluated_at for rule in rules if rule.evaluated_at is not None]
    if not evaluated:
        return
    late = [rule for rule in rules if is_late(rule, now)]
    ago = f"{max((now - max(evaluated)) // timedelta(seconds=1), 0)} s ago"
    if not late:
        yield Check(check="alerts", finding=f"{len(rules)} rules, last evaluated {ago}")
        return
    state = "failed" if collecting else "warning"
    if not held_here([directory / LEASE_FILE]):
        yield Check(check="alerts", state=state, finding=f"no scheduler runs: rules were last evaluated {ago}", remedy=START)
    elif len(late) == len(rules):
        remedy = "its log says why; stop it with SIGTERM and start it again"
        yield Check(check="alerts", state=state, finding=f"the scheduler is stuck: rules were last evaluated {ago}", remedy=remedy)
    else:
        names = ", ".join(sorted({rule.alertname for rule in late}))
        remedy = "their queries take too long: shorten `lookback`, or evaluate them less often"
        yield Check(check="alerts", state="warning", finding=f"{len(late)} of {len(rules)} rules are late: {names}", remedy=remedy)


def _deliveries(store: "AlertStore") -> Iterator[Check]:
    undelivered = [message for message in store.undelivered() if not message["superseded"]]
    given_up = sum(bool(message["dead"]) for message in undelivered)
    if given_up:
        remedy = "`auditlake alerts dead list` says which and why, `auditlake alerts dead retry` sends them again"
        yield Check(check="notifications", state="warning", finding=f"{given_up} were given up", remedy=remedy)
    if waiting := len(undelivered) - given_up:
        finding = f"{waiting} wait for a receiver that does not take them"
        yield Check(check="notifications", state="warning", finding=finding, remedy="`auditlake alerts dead list` says whose and why")
