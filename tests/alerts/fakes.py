"""A lake that answers as it is told, a clock that is set, and a webhook on loopback that is a real HTTP server."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa

from alerts.dispatch import Dispatcher
from alerts.groups import Context, GroupRunner
from alerts.receivers.receiver import Integration
from alerts.recordings import Record, nowhere
from alerts.routing import Routing, everything
from alerts.rules import load_rules
from alerts.state import AlertStore
from storage.damage import Damage
from storage.errors import StorageError

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
RULES = """\
groups:
  - name: agents
    interval: 1m
    rules:
      - alert: Down
        expr: SELECT agent, value FROM down
        for: %(wait)s
        keep_firing_for: %(keep)s
        labels: {severity: critical}
        annotations: {summary: "{{ labels.agent }} is at {{ value }}"}
"""


class FakeLake:
    """Answers each query with `rows`, or fails with `error`; remembers the parameters and from when on files were opened."""

    def __init__(self) -> None:
        self.rows: Sequence[Mapping[str, Any]] = []
        self.rows_of: Mapping[str, Sequence[Mapping[str, Any]]] = {}  # part of a query → its answer
        self.error: str | None = None
        self.asked: list[Mapping[str, Any]] = []
        self.opened_from: list[int | None] = []
        self.damaged: Sequence[Damage] = ()
        self.recorded: list[dict[str, Any]] = []

    def query(
        self,
        text: str,
        *,
        params: Mapping[str, Any] | None = None,
        timeout_seconds: float = 60,
        max_rows: int = 100_000,
        from_ns: int | None = None,
        to_ns: int | None = None,
    ) -> pa.Table:
        del to_ns
        self.asked.append(dict(params or {}))
        self.opened_from.append(from_ns)
        if self.error:
            raise StorageError("read the lake", "here", hint=self.error)
        rows = next((rows for part, rows in self.rows_of.items() if part in text), self.rows)
        if not rows:
            return pa.table({"value": pa.array([], pa.float64())})
        return pa.Table.from_pylist([dict(row) for row in rows])

    def remember(self, recordings: pa.Table, *, since: datetime) -> None:
        """Take what recording rules recorded, as a lake does; a query is answered with `rows` all the same."""
        self.recorded = [row for row in (*self.recorded, *recordings.to_pylist()) if row["time"] >= since]


def as_it_is(items: Sequence[tuple[str, str | None]]) -> list[str]:
    return [text for text, _ in items]


def told_each_minute(receivers: Sequence[str]) -> Routing:
    """Return the routing of a configuration that has none, with an interval as short as the rules'."""
    return Routing(route=replace(everything(receivers), group_interval=timedelta(minutes=1)))


@dataclass
class Process:
    """One alert process over a data directory, driven by hand."""

    data: Path
    lake: FakeLake = field(default_factory=FakeLake)
    receivers: Sequence[Integration] = ()
    rules: str = RULES % {"wait": "0s", "keep": "0s"}
    now: datetime = START
    interval: timedelta = timedelta(minutes=1)
    routing: Routing | None = None
    record: Record = nowhere

    def __post_init__(self) -> None:
        path = self.data / "rules.yaml"
        path.write_text(self.rules)
        self.store = AlertStore.open(self.data)
        routing = self.routing or told_each_minute([receiver.receiver for receiver in self.receivers])
        self.dispatcher = Dispatcher(self.store, routing, self.receivers, external_url="http://auditlake.test")
        context = Context(
            data=self.data,
            lake=self.lake,
            store=self.store,
            notifier=self.dispatcher,
            clean=as_it_is,
            interval=self.interval,
            query_offset=timedelta(seconds=3),
            stop=threading.Event(),
            record=self.record,
        )
        self.runner = GroupRunner(context, load_rules([path]))

    def tick(self, rows: Sequence[Mapping[str, Any]] | None = None, *, after: timedelta = timedelta(minutes=1)) -> bool:
        """Evaluate what is due now, then let time pass."""
        if rows is not None:
            self.lake.rows = rows
        committed = self.runner.tick(self.now)
        self.now += after
        return committed

    def restarted(self, *, after: timedelta = timedelta(), rules: str | None = None) -> "Process":
        """Return the process that follows this one, which lost its memory."""
        self.store.close()
        return Process(self.data, self.lake, self.receivers, rules or self.rules, self.now + after, self.interval, self.routing)

    def states(self) -> dict[str, str]:
        return {alert.labels.get("agent", ""): str(alert.state) for alerts in self.store.alerts().values() for alert in alerts.values()}

    def bodies(self, receiver: str) -> list[dict[str, Any]]:
        return [json.loads(row["body"]) for row in self.store.outbox() if row["receiver"] == receiver]

    def events(self) -> list[tuple[str, str]]:
        """Return state and summary of the transitions that go into the lake."""
        return [
            (body["attributes"]["auditlake.alert.state"], body["attributes"]["auditlake.alert.summary"])
            for body in self.bodies("lake")
            if body["name"] == "alert.transition"
        ]


@dataclass
class Webhook:
    """What came in, and how it is answered: `statuses` first, then 200."""

    url: str
    requests: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [body for _, body in self.requests]

    @property
    def keys(self) -> list[str]:
        return [headers["Idempotency-Key"] for headers, _ in self.requests]


@contextmanager
def webhook() -> Iterator[Webhook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            taken.requests.append((dict(self.headers.items()), body))
            self.send_response(taken.statuses.pop(0) if taken.statuses else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        taken = Webhook(url=f"http://127.0.0.1:{server.server_address[1]}/hook")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield taken
        finally:
            server.shutdown()
            thread.join()
