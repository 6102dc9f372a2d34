"""What the sample agents did before the demo began: ordinary days, so that today can be told from them."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from cli.demo.content import RESEARCH_FINDINGS, RESEARCH_QUESTIONS, SEARCHES, SIDE_EFFECTS, SYSTEM_PROMPT, Ticket, ticket
from cli.demo.past import CLIENT, Attributes, Run

WEEKDAY_LOAD: Final = (1.0, 1.05, 1.0, 0.95, 0.9, 0.6, 0.55)  # Monday first
RUNS_A_DAY: Final = 72
SHARES: Final = {"support": 0.55, "research": 0.25, "failing": 0.15, "report": 0.05}
RELEASES: Final = ((20, "2026.10.4"), (9, "2026.11.1"), (3, "2026.11.2"))  # days ago from which on a release was out
_RELEASED: Final = {
    "auditlake.rollout.stage": "full", "auditlake.rollout.change": "release", "auditlake.resource": "support",
    "auditlake.rollout.owner": "team-support", "auditlake.rollout.rollback_owner": "sre-oncall", "auditlake.rollout.prompt_version": "7",
    "auditlake.rollout.policy_version": "2026-11",
}  # fmt: skip
FIRST_RELEASE: Final = "2026.9.8"
_BUSIEST_HOUR: Final = 11.5
_INSTRUCTIONS: Final = json.dumps([{"type": "text", "content": SYSTEM_PROMPT}])


def days(until: datetime, count: int, seed: int) -> Iterator[tuple[date, str, list[Run]]]:
    """Yield `count` whole days before the day of `until` and that day up to it: the date, the release in use, the runs."""
    today = until.astimezone(UTC).date()
    for ago in range(count, -1, -1):
        day = today - timedelta(days=ago)
        release = next((name for since, name in reversed(RELEASES) if ago <= since), FIRST_RELEASE)
        rng = random.Random(f"{seed}/{day.isoformat()}")  # noqa: S311 - plausible data, not secrets
        runs = [build(rng, agent, start_ns) for agent, start_ns in schedule(rng, day) if start_ns < until.timestamp() * 1e9]
        if any(ago == since for since, _ in RELEASES):
            _announce(release, rng, runs)
        if runs:
            yield day, release, runs


def _announce(release: str, rng: random.Random, runs: list[Run]) -> None:
    """Let the first run of support tell of the new release."""
    versions = {"auditlake.rollout.release": release, "auditlake.rollout.commit": rng.randbytes(4).hex()}
    for run in [run for run in runs if run.agent == "support"][:1]:
        run.announce("rollout", {**_RELEASED, **versions})


def schedule(rng: random.Random, day: date) -> Iterator[tuple[str, int]]:
    """Yield which agent begins a run when: most around noon, fewer at weekends, and one report at least."""
    midnight_ns = int(datetime.combine(day, time(), UTC).timestamp()) * 1_000_000_000
    number = round(RUNS_A_DAY * WEEKDAY_LOAD[day.weekday()] * rng.uniform(0.9, 1.1))
    agents = ["report", *rng.choices(list(SHARES), weights=list(SHARES.values()), k=number - 1)]
    for agent in agents:
        hour = min(max(rng.gauss(_BUSIEST_HOUR, 3.5), 0.0), 23.8)
        yield agent, midnight_ns + int(hour * 3600 * 1e9) + rng.randrange(1_000_000_000)


def build(rng: random.Random, agent: str, start_ns: int) -> Run:
    """Return one run of `agent`."""
    return _BUILDERS[agent](rng, start_ns)


def _support(rng: random.Random, start_ns: int) -> Run:
    asked = ticket(rng)
    common = {
        "gen_ai.agent.name": "support",
        "gen_ai.conversation.id": f"chat-{rng.randint(100, 999)}",
        "user.id": f"customer-{rng.randint(1, 60)}",
    }
    run = Run("support", start_ns, rng, common=common, numbered=True)
    task = {"auditlake.task.id": f"{asked.reference}-{rng.getrandbits(32):08x}", "auditlake.task.type": asked.kind}
    for state in ("created", "assigned", "in_progress"):
        run.event("task", {**task, "auditlake.task.state": state})
    _handbook(run, rng, asked)
    request = [{"role": "assistant", "parts": [{"type": "tool_call", "name": asked.tool, "arguments": asked.arguments}]}]
    _model(run, rng, ("gpt-4o-mini", "openai"), (1400, 2600, 30, 70), asked.question, request)
    _act(run, rng, asked)
    _model(run, rng, ("gpt-4o-mini", "openai"), (1700, 3200, 60, 180), asked.question, asked.answer)
    score = round(min(rng.gauss(0.86, 0.08), 1.0), 2)
    evaluation = {
        "gen_ai.evaluation.name": "helpfulness",
        "gen_ai.evaluation.score.value": score,
        "auditlake.eval.threshold": 0.7,
        "auditlake.eval.passed": score >= 0.7,
        "auditlake.eval.case_id": f"case-{asked.kind}",
        "auditlake.eval.evaluator_version": "3",
    }
    run.event("gen_ai.evaluation.result", evaluation)
    if rng.random() < 0.02:  # one in fifty waits for the customer to this day
        run.event("task", {**task, "auditlake.task.state": "blocked"})
    else:
        _finished(run, rng, task, asked, score)
    run.end({"gen_ai.operation.name": "invoke_agent", "auditlake.task.type": asked.kind, "auditlake.quality.score": score})
    return run


def _finished(run: Run, rng: random.Random, task: Attributes, asked: Ticket, score: float) -> None:
    delivered = {**task, "auditlake.task.deliverable": f"reply-{asked.order}"}
    run.event("task", {**delivered, "auditlake.task.state": "submitted"})
    run.now_ns += rng.randint(20, 900) * 1_000_000
    run.event(
        "task", {**delivered, "auditlake.task.state": "reviewed", "auditlake.task.review": "approved" if score >= 0.75 else "rejected"}
    )
    run.event("task", {**delivered, "auditlake.task.state": "done"})


def _handbook(run: Run, rng: random.Random, asked: Ticket) -> None:
    scores = [{"id": document, "score": round(0.94 - 0.12 * rank, 2)} for rank, document in enumerate(asked.documents)]
    found = {
        "auditlake.kind": "retrieval",
        "gen_ai.operation.name": "retrieval",
        "gen_ai.data_source.id": "handbook",
        "gen_ai.retrieval.query.text": asked.question,
        "gen_ai.retrieval.documents": json.dumps(scores),
        "auditlake.retrieval.source_ids": list(asked.documents),
        "auditlake.retrieval.freshness_seconds": 86_400.0,
        "auditlake.retrieval.access_decision": "allow",
        "auditlake.retrieval.citation_required": False,
    }
    run.step("retrieval handbook", rng.uniform(0.03, 0.15), found, kind=CLIENT)


def _act(run: Run, rng: random.Random, asked: Ticket) -> None:
    """Look the order up, ask the policy (and for a refund the shift lead), then do it."""
    _tool(run, rng, "lookup_order", {"order": asked.order}, {"auditlake.tool.side_effect": "read"}, failure_rate=0.03)
    judged = {
        "auditlake.policy.action": asked.tool,
        "auditlake.policy.decision": "allow",
        "auditlake.policy.version": "2026-11",
        "auditlake.policy.reason_code": "within_limit",
        "auditlake.policy.effect": "none",
        "auditlake.latency_ms": round(rng.uniform(1, 9), 2),
    }
    run.event("policy.decision", judged)
    if asked.kind == "refund":
        _approval(run, rng, asked.tool)
    done = {"auditlake.action": f"{asked.kind}.execute", "auditlake.resource": f"order/{asked.order}", "auditlake.outcome": "success"}
    run.event("agent_action", done)
    used: dict[str, object] = {
        "auditlake.tool.side_effect": SIDE_EFFECTS[asked.kind],
        "auditlake.tool.authorization": f"policy:{asked.kind}",
        "auditlake.tool.retry_count": 0,
        "auditlake.tool.idempotency_key": f"{asked.kind}-{asked.order}",
    }
    if asked.kind == "refund":
        used["auditlake.tool.requires_approval"] = True
    _tool(run, rng, asked.tool, asked.arguments, used)


def _tool(run: Run, rng: random.Random, name: str, arguments: object, more: Attributes, *, failure_rate: float = 0.0) -> None:
    failed = rng.random() < failure_rate
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": name,
        "gen_ai.tool.call.id": f"call-{rng.randbytes(6).hex()}",
        "gen_ai.tool.call.arguments": json.dumps(arguments),
        **({"auditlake.kind": "tool"} if run.numbered else {}),
        **({"error.type": "TimeoutError"} if failed else {}),
        **more,
    }
    run.step(f"execute_tool {name}", rng.uniform(0.05, 0.5), attributes, error="no answer within 10 s" if failed else None)


def _approval(run: Run, rng: random.Random, tool: str) -> None:
    expires = datetime.fromtimestamp(run.now_ns / 1e9 + 900, UTC).isoformat().replace("+00:00", "Z")
    about = {
        "auditlake.approval.action": tool, "gen_ai.tool.name": tool, "auditlake.approval.approver_role": "shift-lead",
        "auditlake.approval.expires_at": expires,
    }  # fmt: skip
    run.event("approval", {**about, "auditlake.approval.state": "requested"})
    run.now_ns += int(rng.uniform(5, 90) * 1e9)
    run.event("approval", {**about, "auditlake.approval.state": "granted", "auditlake.approval.approver": f"lead-{rng.randint(1, 4)}"})


def _research(rng: random.Random, start_ns: int) -> Run:
    question = rng.choice(RESEARCH_QUESTIONS)
    common = {
        "gen_ai.agent.name": "research",
        "gen_ai.conversation.id": f"study-{rng.randint(10, 99)}",
        "user.id": f"analyst-{rng.randint(1, 9)}",
    }
    run = Run("research", start_ns, rng, common=common, numbered=False)
    model = ("claude-sonnet-4-5", "anthropic") if rng.random() < 0.4 else ("claude-haiku-4-5", "anthropic")
    _model(run, rng, model, (900, 1500, 120, 300), f"Plan how to answer: {question}", "1. search 2. read 3. compare")
    for page in range(rng.randint(1, 3)):
        query = rng.choice(SEARCHES)
        _tool(run, rng, "web_search", {"query": query, "page": page + 1}, {})
        documents = [{"id": f"clipping-{rng.randint(1, 80)}", "score": 0.8} for _ in range(3)]
        found = {
            "gen_ai.operation.name": "retrieval",
            "gen_ai.data_source.id": "clippings",
            "gen_ai.retrieval.query.text": query,
            "gen_ai.retrieval.documents": json.dumps(documents),
        }
        run.step("retrieval clippings", rng.uniform(0.03, 0.15), found, kind=CLIENT)
    _model(run, rng, model, (2500, 6000, 200, 420), f"Write a summary: {question}", rng.choice(RESEARCH_FINDINGS))
    run.end({"gen_ai.operation.name": "invoke_agent"})
    return run


def _failing(rng: random.Random, start_ns: int) -> Run:
    """The import agent as it was before its provider's limits: one call in twenty fails."""
    run = Run("failing", start_ns, rng, common={"gen_ai.agent.name": "failing"}, numbered=False)
    supplier = f"supplier-{rng.randint(1, 12)}"
    _tool(run, rng, "fetch_document", {"source": supplier, "attempt": 0}, {}, failure_rate=0.05)
    prompt = f"Extract the prices of {supplier} (attempt 1)."
    _model(run, rng, ("gpt-4.1-mini", "openai"), (600, 1800, 80, 200), prompt, "27 prices found, 2 of them without a unit.")
    run.end({"gen_ai.operation.name": "invoke_agent"})
    return run


def _report(rng: random.Random, start_ns: int) -> Run:
    """A report of the ordinary sort, about $0.25."""
    run = Run("report", start_ns, rng, common={"gen_ai.agent.name": "report", "user.id": "scheduler"}, numbered=True)
    for part in ("refunds", "delays", "warranty", "summary"):
        prompt, answer = f"Summarise this week's tickets about {part}.", f"Most tickets about {part} concern a single carrier."
        _model(run, rng, ("claude-sonnet-4-5", "anthropic"), (12_000, 18_000, 600, 1400), prompt, answer)
    run.end({"gen_ai.operation.name": "invoke_agent", "auditlake.task.type": "weekly-report"})
    return run


def _model(run: Run, rng: random.Random, model: tuple[str, str], tokens: tuple[int, int, int, int], prompt: str, answer: object) -> None:
    """Add a model call: `model` is its name and provider, `tokens` the bounds of input and output."""
    reply = answer if not isinstance(answer, str) else [{"role": "assistant", "parts": [{"type": "text", "content": answer}]}]
    failed = rng.random() < 0.02
    attributes: dict[str, object] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": model[1],
        "gen_ai.request.model": model[0],
        "gen_ai.response.model": model[0],
        "gen_ai.response.id": f"msg_{rng.randbytes(12).hex()}",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": rng.randint(tokens[0], tokens[1]),
        "gen_ai.usage.output_tokens": rng.randint(tokens[2], tokens[3]),
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": prompt}]}], ensure_ascii=False),
        "gen_ai.output.messages": json.dumps(reply, ensure_ascii=False),
        "gen_ai.system_instructions": _INSTRUCTIONS,
    }
    if run.numbered:
        attributes |= {"auditlake.kind": "model", "gen_ai.prompt.version": "6", "auditlake.output.status": "ok"}
    if failed:
        attributes["error.type"] = "APIConnectionError"
    seconds = rng.uniform(0.4, 1.8) + tokens[3] / 80  # the answer is written at 80 tokens a second
    run.step(f"chat {model[0]}", seconds, attributes, kind=CLIENT, error="connection reset" if failed else None)


_BUILDERS: Final = {"support": _support, "research": _research, "failing": _failing, "report": _report}
