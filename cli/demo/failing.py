"""The failing agent, plain OpenTelemetry: about four in ten of its model and tool calls fail."""

import uuid
from collections.abc import Callable

from opentelemetry.trace import StatusCode

from cli.demo import otel
from cli.demo.otel import Telemetry
from cli.demo.process import Process, start

MODEL = "gpt-4.1-mini"
TOOL_FAILS, MODEL_FAILS = 0.4, 0.45
"""The share of calls that fail."""


class RateLimitError(Exception):
    """The provider refuses for now."""


class UpstreamTimeoutError(Exception):
    """A tool did not answer."""


def main() -> None:
    """Import price lists, badly, until stopped."""
    process = start("failing")
    with otel.telemetry(process, "failing") as tools:
        done = 0
        while process.more(done):
            import_list(process, tools)
            done += 1
            process.pause(process.rng.uniform(1.0, 2.5))


def import_list(process: Process, tools: Telemetry) -> None:
    """Import one price list; every failure is retried once, and what fails again fails the run."""
    with otel.agent_span(tools, "failing") as root:
        supplier = f"supplier-{process.rng.randint(1, 12)}"
        try:
            retried(process, tools, lambda attempt: fetch(process, tools, supplier, attempt))
            retried(process, tools, lambda attempt: extract(process, tools, supplier, attempt))
            retried(process, tools, lambda attempt: fetch(process, tools, f"{supplier}/terms", attempt))
        except (RateLimitError, UpstreamTimeoutError) as error:
            otel.log(
                tools, "given up", {"auditlake.resource": supplier, "error.type": type(error).__qualname__}, event="resilience.dead_letter"
            )
            root.set_attribute("error.type", type(error).__qualname__)
            root.set_status(StatusCode.ERROR, str(error))


def retried(process: Process, tools: Telemetry, call: Callable[[int], None]) -> None:
    """Call once, and once more after a failure."""
    try:
        call(0)
    except (RateLimitError, UpstreamTimeoutError) as error:
        about = {
            "auditlake.resource": "openai" if isinstance(error, RateLimitError) else "fetch_document",
            "error.type": type(error).__qualname__,
        }
        if isinstance(error, RateLimitError):
            otel.log(tools, "over the quota", {**about, "gen_ai.provider.name": "openai"}, event="resilience.rate_limit")
        otel.log(tools, "trying again", {**about, "auditlake.resilience.attempt": 1}, event="resilience.retry")
        process.pause(0.2)
        call(1)


def fetch(process: Process, tools: Telemetry, source: str, attempt: int) -> None:
    """Fetch a document over a network that is down every other time."""
    with otel.tool(
        tools, "failing", "fetch_document", {"source": source, "attempt": attempt}, call_id=f"call-{uuid.uuid4().hex[:12]}"
    ) as span:
        process.work(0.05, 0.3)
        if process.rng.random() < TOOL_FAILS:
            span.set_attribute("error.type", "UpstreamTimeoutError")
            raise UpstreamTimeoutError("no answer within 10 s")
        span.set_attribute("gen_ai.tool.call.result", '{"pages": 4}')


def extract(process: Process, tools: Telemetry, source: str, attempt: int) -> None:
    """Ask a model that is over its quota."""
    with otel.chat(tools, "failing", MODEL, "openai") as span:
        process.work(0.1, 0.5)
        if process.rng.random() < MODEL_FAILS:
            span.set_attribute("error.type", "RateLimitError")
            raise RateLimitError("429: requests per minute exceeded")
        tokens = process.rng.randint(600, 1800), process.rng.randint(80, 200)
        prompt, answer = f"Extract the prices of {source} (attempt {attempt + 1}).", "27 prices found, 2 of them without a unit."
        otel.answered(tools, span, MODEL, prompt=prompt, answer=answer, tokens=tokens, response_id=f"chatcmpl-{uuid.uuid4().hex[:24]}")


if __name__ == "__main__":
    main()
