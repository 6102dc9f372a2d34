"""The research agent, plain OpenTelemetry without our SDK: a plan, a sub-agent that searches and reads, and a summary."""

import uuid

from cli.demo import otel
from cli.demo.content import RESEARCH_FINDINGS, RESEARCH_QUESTIONS, SEARCHES
from cli.demo.otel import Telemetry
from cli.demo.process import Process, start

MODEL = "claude-haiku-4-5"


def main() -> None:
    """Research questions until stopped."""
    process = start("research")
    with otel.telemetry(process, "research") as tools:
        done = 0
        while process.more(done):
            research(process, tools)
            done += 1
            process.pause(process.rng.uniform(4.0, 8.0))


def research(process: Process, tools: Telemetry) -> None:
    """Answer one question. The agent's span repeats the totals of its children, as several frameworks do."""
    question = process.rng.choice(RESEARCH_QUESTIONS)
    analyst = f"analyst-{process.rng.randint(1, 9)}"
    with otel.agent_span(tools, "research", session=f"study-{process.rng.randint(10, 99)}", user=analyst) as root:
        totals = [ask(process, tools, "research", f"Plan how to answer: {question}", "1. search 2. read 3. compare", (900, 1500))]
        with otel.agent_span(tools, "reader"):
            for number in range(process.rng.randint(1, 3)):
                read(process, tools, number)
            totals.append(
                ask(process, tools, "reader", f"Extract what answers: {question}", process.rng.choice(RESEARCH_FINDINGS), (2500, 6000))
            )
        totals.append(ask(process, tools, "research", f"Write a summary: {question}", process.rng.choice(RESEARCH_FINDINGS), (1500, 3000)))
        root.set_attribute("gen_ai.usage.input_tokens", sum(count for count, _ in totals))
        root.set_attribute("gen_ai.usage.output_tokens", sum(count for _, count in totals))


def ask(process: Process, tools: Telemetry, agent: str, prompt: str, answer: str, size: tuple[int, int]) -> tuple[int, int]:
    """Call the model once; return its usage."""
    with otel.chat(tools, agent, MODEL, "anthropic") as span:
        process.work(0.5, 1.6)
        tokens = process.rng.randint(*size), process.rng.randint(120, 420)
        otel.answered(tools, span, MODEL, prompt=prompt, answer=answer, tokens=tokens, response_id=f"msg_{uuid.uuid4().hex[:24]}")
    return tokens


def read(process: Process, tools: Telemetry, number: int) -> None:
    """Search the web, embed the question and find passages."""
    query = process.rng.choice(SEARCHES)
    call_id = f"toolu_{uuid.uuid4().hex[:20]}"
    with otel.tool(tools, "reader", "web_search", {"query": query, "page": number + 1}, call_id=call_id) as span:
        process.work(0.2, 0.6)
        span.set_attribute("gen_ai.tool.call.result", f'{{"hits": {process.rng.randint(3, 12)}}}')
    with otel.chat(tools, "reader", "text-embedding-3-small", "openai", operation="embeddings") as span:
        process.work(0.03, 0.1)
        span.set_attribute("gen_ai.usage.input_tokens", process.rng.randint(8, 40))
    attributes = {"gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": "clippings", "gen_ai.agent.name": "reader"}
    with tools.tracer.start_as_current_span("retrieval clippings", attributes=attributes) as span:
        process.work(0.03, 0.15)
        otel.retrieved(span, query, [f"clipping-{process.rng.randint(1, 80)}" for _ in range(3)])
    otel.log(tools, "passages read", {"reader.passages": 3, "reader.query": query})


if __name__ == "__main__":
    main()
