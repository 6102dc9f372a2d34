"""A lake that has everything a page can show, made without a collector: rows of `storage.schema`, published as the sealer would.

Deterministic for one `now_ns` and `seed`. Agents: a support desk with retrieval, policy and approvals; a researcher with long runs (one of
a thousand steps); a biller that fails; one that loops; one whose names and prompts try to become markup; one run that is still going.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from storage import schema
from storage.catalog import Catalog, EntryRecord
from storage.writer import publish_entry
from tests.dashboards import fixture_records as records
from tests.dashboards.fixture_records import NS, Row

ORIGIN = "fixture/collector"
XSS = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'
MARKDOWN = "![beacon](http://beacon.invalid/pixel.png) **bold** :material/bug_report: [x](javascript:window.pwned=1)"
RUN_SUPPORT, RUN_ERROR, RUN_LOOP, RUN_LONG, RUN_XSS, RUN_LIVE = (
    "a11ce0support",
    "b0bbillingerr",
    "100p100p100p",
    "10ng10ng10ng",
    "bad0bad0xss",
    "11fe11fe11fe",
)


@dataclass
class Rows:
    spans: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    metrics: list[Row] = field(default_factory=list)

    def tables(self) -> dict[str, pa.Table]:
        """Arrow tables in the schema, ledger columns filled as one entry."""
        found, row_number = {}, 0
        for name in ("spans", "events", "metrics"):
            rows = getattr(self, name)
            for row in rows:
                row["entry_row"], row_number = row_number, row_number + 1
            if rows:
                found[name] = pa.Table.from_pylist(rows, schema=schema.TABLES[name])
        return found


def history(now_ns: int, *, runs: int = 160, hours: float = 24.0, seed: int = 7) -> Rows:
    """The special runs, `runs` ordinary ones spread over the last `hours`, heartbeats, alerts and the collector's own metrics."""
    rng, rows = random.Random(seed), Rows()
    for number in range(runs):
        start = now_ns - int(rng.random() ** 1.3 * hours * 3600 * NS) - 60 * NS
        _ordinary(rows, rng, number, start)
    _special(rows, rng, now_ns)
    rows.events += list(records.heartbeats(now_ns))
    rows.events += list(records.alerts(now_ns))
    rows.metrics += list(records.ack_metrics(now_ns, hours, rng))
    return rows


def _special(rows: Rows, rng: random.Random, now_ns: int) -> None:
    support(rows, rng, RUN_SUPPORT, now_ns - 400 * NS, session="session-81")
    support(rows, rng, "a11ce1support", now_ns - 900 * NS, session="session-81")
    billing(rows, rng, RUN_ERROR, now_ns - 300 * NS, fails=True)
    looping(rows, rng, RUN_LOOP, now_ns - 1500 * NS)
    research(rows, rng, RUN_LONG, now_ns - 3000 * NS, turns=12, fan=620)
    hostile(rows, RUN_XSS, now_ns - 700 * NS)
    live(rows, rng, RUN_LIVE, now_ns - 45 * NS)


def _ordinary(rows: Rows, rng: random.Random, number: int, start: int) -> None:
    run, pick = f"{number:06d}{rng.getrandbits(40):010x}", rng.random()
    if pick < 0.45:
        support(rows, rng, run, start, session=f"session-{number // 3}")
    elif pick < 0.75:
        research(rows, rng, run, start, turns=rng.randint(2, 6), fan=rng.randint(0, 4))
    elif pick < 0.95:
        billing(rows, rng, run, start, fails=rng.random() < 0.35)
    else:
        looping(rows, rng, run, start)


def support(rows: Rows, rng: random.Random, run: str, start: int, *, session: str) -> None:
    """Retrieval, a policy decision, an approval that makes everyone wait, a refund, an evaluation; an e-mail redacted on the way."""
    agent = records.Agent(run=run, name="support-agent", tenant="acme", release="2.4.1", session=session, actor="user-7f3a", rows=rows)
    clock = start
    root = agent.open("run", "handle ticket", clock, task_type="refund")
    agent.event("run.started", clock, kind="run")
    with_agent = agent.open("agent", "invoke_agent support-agent", clock + 2_000_000, parent=root)
    ask = "My order 81 arrived broken, please refund it. You can reach me at <EMAIL_ADDRESS>."
    talk = [{"role": "user", "parts": [{"type": "text", "content": ask}]}]
    clock = agent.model(
        rng,
        with_agent,
        clock + 8_000_000,
        talk,
        "I will look up the refund policy.",
        "gpt-4o",
        "openai",
        call="search_policy",
        redactions={"EMAIL_ADDRESS": 1},
    )
    talk += [{"role": "assistant", "parts": [{"type": "text", "content": "I will look up the refund policy."}]}]
    clock = agent.retrieval(rng, with_agent, clock)
    clock = agent.tool(
        rng, with_agent, clock, "get_order", {"order": 81}, {"order": 81, "total": "59.90", "currency": "EUR", "state": "delivered"}, "read"
    )
    talk += [{"role": "tool", "parts": [{"type": "tool_call_response", "response": {"order": 81, "total": "59.90"}}]}]
    clock = agent.model(
        rng,
        with_agent,
        clock,
        talk,
        "The order qualifies: I ask for approval of a refund of 59.90 EUR.",
        "gpt-4o",
        "openai",
        call="issue_refund",
    )
    agent.event(
        "policy.decision",
        clock,
        kind="policy",
        parent=with_agent,
        action="issue_refund",
        decision="allow",
        reason_code="within_limit",
        policy_version="2026-11",
    )
    agent.event("approval", clock + 5_000_000, kind="approval", parent=with_agent, action="issue_refund", approval_state="requested")
    clock += int(rng.uniform(20, 90) * NS)
    agent.event("approval", clock, kind="approval", parent=with_agent, action="issue_refund", approval_state="granted", approver="lead-4")
    clock = agent.tool(
        rng,
        with_agent,
        clock + 4_000_000,
        "issue_refund",
        {"order": 81, "amount": "59.90"},
        {"refund": "r-991", "ok": True},
        "external",
        retries=1,
    )
    agent.memory(with_agent, clock)
    agent.event(
        "gen_ai.evaluation.result",
        clock + 9_000_000,
        kind="eval",
        parent=root,
        eval_name="politeness",
        eval_score=0.93,
        eval_threshold=0.7,
        eval_passed=True,
    )
    agent.event("checkpoint", clock + 12_000_000, kind="checkpoint", parent=root)
    agent.close(with_agent, clock + 20_000_000)
    agent.close(root, clock + 25_000_000, stop_reason="completed")


def research(rows: Rows, rng: random.Random, run: str, start: int, *, turns: int, fan: int) -> None:
    """Turns of a model with parallel searches; `fan` siblings below the second turn; one model has no known price."""
    agent = records.Agent(run=run, name="research-agent", tenant="globex", release="0.9.3", session=None, actor="user-22", rows=rows)
    root = agent.open("agent", "invoke_agent research-agent", start)
    clock, talk = (
        start + 3_000_000,
        [{"role": "user", "parts": [{"type": "text", "content": "Compare the three vendors' data retention."}]}],
    )
    for turn in range(turns):
        model, provider = ("claude-sonnet-4-5", "anthropic") if turn % 3 else ("house-model-7b", "in-house")
        said = f"Turn {turn + 1}: I still need the contract terms of vendor {turn % 3 + 1}."
        clock = agent.model(rng, root, clock, talk, said, model, provider, call="web_search")
        talk += [{"role": "assistant", "parts": [{"type": "text", "content": said}]}]
        clock = agent.tool(
            rng, root, clock, "web_search", {"query": f"vendor {turn % 3 + 1} data retention {turn}"}, {"hits": rng.randint(0, 9)}, "read"
        )
        if turn == 1 and fan:
            group = agent.open("other", "fetch pages", clock)
            for page in range(fan):
                agent.tool(rng, group, clock + page * 30_000_000, "fetch_page", {"page": page}, {"status": 200}, "read", fails=page == 431)
            clock += (fan + 20) * 30_000_000
            agent.close(group, clock)
    agent.close(root, clock + 10_000_000, stop_reason="completed")


def billing(rows: Rows, rng: random.Random, run: str, start: int, *, fails: bool) -> None:
    """Charges a card; when it fails, three attempts and an error that reaches the root."""
    agent = records.Agent(
        run=run,
        name="billing-agent",
        tenant="acme",
        release="1.12.0" if not fails else "1.13.0-rc1",
        session=None,
        actor="svc-nightly",
        rows=rows,
    )
    root = agent.open("run", "nightly billing", start, task_type="billing")
    agent.event("run.started", start, kind="run")
    plan = [{"role": "user", "parts": [{"type": "text", "content": "Charge invoice 4711 to card <CREDIT_CARD>."}]}]
    clock = agent.model(
        rng, root, start + 4_000_000, plan, "Charging.", "gpt-4o-mini", "openai", call="charge_card", redactions={"CREDIT_CARD": 1}
    )
    agent.event(
        "policy.decision",
        clock,
        kind="policy",
        parent=root,
        action="charge_card",
        decision="deny" if fails else "allow",
        reason_code="over_limit" if fails else "within_limit",
        policy_version="2026-11",
    )
    for attempt in range(3 if fails else 1):
        clock = agent.tool(
            rng,
            root,
            clock + 50_000_000,
            "charge_card",
            {"invoice": 4711, "try": attempt},
            None if fails else {"ok": True},
            "external",
            retries=attempt,
            fails=fails,
        )
    agent.close(
        root,
        clock + 8_000_000,
        stop_reason="error" if fails else "completed",
        error=("PaymentGatewayTimeout", "gateway did not answer in 10 s") if fails else None,
    )


def looping(rows: Rows, rng: random.Random, run: str, start: int) -> None:
    """Calls the same tool with the same arguments until the step limit."""
    agent = records.Agent(run=run, name="planner-agent", tenant="initech", release="3.0.0", session=None, actor=None, rows=rows)
    root = agent.open("agent", "invoke_agent planner-agent", start)
    clock, talk = start, [{"role": "user", "parts": [{"type": "text", "content": "Plan the offsite."}]}]
    for _ in range(9):
        clock = agent.model(rng, root, clock, talk, "Let me check the calendar.", "gpt-4o-mini", "openai", call="list_calendar")
        clock = agent.tool(rng, root, clock, "list_calendar", {"week": 47}, {"events": []}, "read")
    agent.close(root, clock, stop_reason="max_steps")


def hostile(rows: Rows, run: str, start: int) -> None:
    """Markup and Markdown in every place that a page shows."""
    agent = records.Agent(run=run, name=XSS, tenant="mallory", release=MARKDOWN, session=XSS, actor=MARKDOWN, rows=rows)
    root = agent.open("run", XSS, start, task_type=XSS)
    talk = [{"role": XSS, "parts": [{"type": "text", "content": XSS + MARKDOWN}]}]
    clock = agent.model(random.Random(1), root, start + 1_000_000, talk, MARKDOWN + XSS, XSS, XSS, call=XSS)
    clock = agent.tool(random.Random(2), root, clock, XSS, {XSS: MARKDOWN}, {"result": XSS}, XSS, fails=True)
    agent.close(root, clock, stop_reason=XSS, error=(XSS, MARKDOWN))


def live(rows: Rows, rng: random.Random, run: str, start: int) -> None:
    """A run that said it began and has ended some steps, but has not ended."""
    agent = records.Agent(run=run, name="support-agent", tenant="acme", release="2.4.1", session="session-99", actor="user-12", rows=rows)
    agent.event("run.started", start, kind="run")
    parent = "feed" * 4
    clock = agent.model(
        rng,
        parent,
        start + 5_000_000,
        [{"role": "user", "parts": [{"type": "text", "content": "Where is my parcel?"}]}],
        "Let me look.",
        "gpt-4o",
        "openai",
        call="get_order",
    )
    agent.tool(rng, parent, clock, "get_order", {"order": 90}, {"state": "in transit"}, "read")


def publish(data: Path, rows: Rows, now_ns: int, *, entry: int = 1) -> None:
    """Write the rows as one sealed entry of `ORIGIN`, through the writer and the catalog, as the sealer does."""
    publish_tables(data, rows.tables(), now_ns, entry=entry)


def publish_tables(data: Path, tables: dict[str, pa.Table], now_ns: int, *, entry: int) -> None:
    """The same for tables."""
    files = publish_entry(data, ORIGIN, entry, tables)
    spans: dict[str, tuple[int, int]] = {}
    for run, first, last in _run_times(tables):
        before = spans.get(run, (first, last))
        spans[run] = (min(first, before[0]), max(last, before[1]))
    stored = sum(table.num_rows for table in tables.values())
    catalog = Catalog.open(data)
    record = _entry(ORIGIN, entry, now_ns, stored + 3, rejected=2, deduplicated=1, withheld=1)
    catalog.commit_entry(record, files, runs=spans, trace_runs={})
    catalog.close()


def _entry(
    origin: str, entry: int, sealed_ns: int, received: int, *, rejected: int = 0, deduplicated: int = 0, withheld: int = 0
) -> EntryRecord:
    return EntryRecord(
        origin=origin,
        entry=entry,
        sealed_ns=sealed_ns,
        first_received_ns=sealed_ns - 2 * NS,
        last_received_ns=sealed_ns - NS,
        received=received,
        stored=received - rejected - deduplicated,
        rejected=rejected,
        deduplicated=deduplicated,
        quarantined=0,
        withheld=withheld,
        own=0,
        bytes=received * 300,
        policy_hash="fixture",
        descriptor={"tables": {}},
    )


def _run_times(tables: dict[str, pa.Table]) -> Iterator[tuple[Any, Any, Any]]:
    for name, start, end in (("spans", "start_ns", "end_ns"), ("events", "time_ns", "time_ns")):
        if name in tables:
            table = tables[name]
            for run, first, last in zip(table["run_id"].to_pylist(), table[start].to_pylist(), table[end].to_pylist(), strict=True):
                if run:
                    yield run, first, last


def publish_ingest_history(data: Path, now_ns: int, *, hours: int = 24, seed: int = 3) -> None:
    """Entries without rows every twenty minutes, as if another collector had worked all day and its rows had expired."""
    rng, catalog = random.Random(seed), Catalog.open(data)
    for number in range(hours * 3):
        sealed, received = now_ns - number * 1200 * NS, rng.randint(9000, 16_000)
        catalog.commit_entry(_entry("fixture/second", number + 1, sealed, received, rejected=rng.randint(0, 2)), [], runs={}, trace_runs={})
    catalog.close()
