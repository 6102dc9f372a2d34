"""The leaking agent, plain OpenTelemetry: personal data and keys in every place where a text can stand.

`CONTROL` stands beside each of them, so that a scan for what must not be stored can show that it sees what is.
"""

import json
import uuid

from opentelemetry import trace
from opentelemetry.trace import Link, SpanKind, StatusCode
from opentelemetry.util.types import AnyValue

from cli.demo import otel
from cli.demo.leaks import (
    ANTHROPIC_KEY,
    AWS_KEY_ID,
    CARD,
    CARD_WITH_SPACES,
    CONTROL,
    EMAIL,
    GITHUB_TOKEN,
    OPENAI_KEY,
    PRIVATE_KEY,
    SECOND_EMAIL,
)
from cli.demo.otel import Telemetry
from cli.demo.process import Process, start

MODEL = "gpt-4o-mini"


def main() -> None:
    """Leak until stopped."""
    process = start("leaking")
    owner = {"service.owner": f"{CONTROL} {SECOND_EMAIL}", "deploy.note": f"{CONTROL} rotated {GITHUB_TOKEN}"}
    with otel.telemetry(process, "leaking", **owner) as tools:
        done = 0
        while process.more(done):
            leak(process, tools)
            done += 1
            process.pause(process.rng.uniform(4.0, 7.0))


def leak(process: Process, tools: Telemetry) -> None:
    """Do one run that leaks everywhere."""
    with otel.agent_span(tools, "leaking", session=f"chat-{process.rng.randint(10, 99)}", user=EMAIL):
        prompts(process, tools)
        arguments(process, tools)
        names_and_links(tools)
        logs(tools)
        tools.duration.record(process.rng.uniform(0.2, 0.9), {"gen_ai.request.model": MODEL, "customer": f"{CONTROL} {EMAIL}"})


def prompts(process: Process, tools: Telemetry) -> None:
    """Prompts and answers, system instructions, legacy attributes, and JSON within JSON."""
    with otel.chat(tools, "leaking", MODEL, "openai") as span:
        process.work(0.3, 0.8)
        prompt = f"{CONTROL}: I am {EMAIL}, my card is {CARD}, the other one {CARD_WITH_SPACES}. My key is {OPENAI_KEY}."
        answer = [
            {
                "role": "assistant",
                "parts": [{"type": "text", "content": f"{CONTROL}: thank you, {SECOND_EMAIL} gets a copy with {ANTHROPIC_KEY}."}],
            }
        ]
        tokens = process.rng.randint(300, 600), process.rng.randint(30, 90)
        otel.answered(tools, span, MODEL, prompt=prompt, answer=answer, tokens=tokens, response_id=f"chatcmpl-{uuid.uuid4().hex[:24]}")
        span.set_attribute("gen_ai.system_instructions", json.dumps([{"type": "text", "content": f"{CONTROL} use {ANTHROPIC_KEY}"}]))
        span.set_attribute("gen_ai.prompt.0.content", f"{CONTROL} {PRIVATE_KEY}")
        span.set_attribute("request.list", [f"{CONTROL} {EMAIL}", f"{CONTROL} {AWS_KEY_ID}"])
        span.set_attribute(
            "debug.payload", json.dumps({"note": CONTROL, "body": json.dumps({"to": SECOND_EMAIL, "token": GITHUB_TOKEN, "pan": CARD})})
        )


def arguments(process: Process, tools: Telemetry) -> None:
    """Arguments and results of tools, under keys that say what they are and under keys that do not."""
    sent = {
        "note": CONTROL,
        "to": EMAIL,
        "payment": {"card": CARD, "holder": {"contact": SECOND_EMAIL}},
        "keys": [AWS_KEY_ID, OPENAI_KEY],
        EMAIL: "vip",
    }
    with otel.tool(tools, "leaking", "send_receipt", sent, call_id=f"call-{uuid.uuid4().hex[:12]}") as span:
        process.work(0.05, 0.2)
        span.set_attribute(
            "gen_ai.tool.call.result", json.dumps({"note": CONTROL, "url": f"https://pay.example.com/r?mail={EMAIL}&pan={CARD}"})
        )
        span.set_attribute("authorization", f"Bearer {OPENAI_KEY}")
        span.set_attribute("http.request.header.x-api-key", [ANTHROPIC_KEY])
        span.set_attribute("config.dump", f"{CONTROL}\n{PRIVATE_KEY}\naws_access_key_id = {AWS_KEY_ID}")


def names_and_links(tools: Telemetry) -> None:
    """A span's name, attribute keys, events, links and status message."""
    elsewhere = trace.get_current_span().get_span_context()
    link = Link(elsewhere, {"cause": f"{CONTROL} {SECOND_EMAIL}", f"link of {EMAIL}": GITHUB_TOKEN})
    name = f"notify {EMAIL} {CONTROL}"
    with tools.tracer.start_as_current_span(name, kind=SpanKind.PRODUCER) as span:
        span.set_attribute(f"recipient {SECOND_EMAIL}", CONTROL)
        span.set_attribute(f"card {CARD}", CONTROL)
        span.add_event(f"mailed {EMAIL} {CONTROL}", {"body": f"{CONTROL} {CARD_WITH_SPACES}", f"key {OPENAI_KEY}": 1})
        span.add_link(link.context, link.attributes)
        try:
            raise ValueError(f"{CONTROL}: cannot charge {CARD} of {SECOND_EMAIL}")
        except ValueError as error:
            span.record_exception(error)
            span.set_status(StatusCode.ERROR, f"{CONTROL} {error} with {ANTHROPIC_KEY}")


def logs(tools: Telemetry) -> None:
    """Bodies as text and as a structure, and attributes of log records."""
    otel.log(tools, f"{CONTROL} signed in as {EMAIL} with {GITHUB_TOKEN}", {"session.note": f"{CONTROL} {AWS_KEY_ID}"})
    structure: AnyValue = {"note": CONTROL, "customer": {"mail": SECOND_EMAIL, "cards": [CARD, CARD_WITH_SPACES]}, EMAIL: ANTHROPIC_KEY}
    otel.log(tools, structure, {"raw": f"{CONTROL} {PRIVATE_KEY}"}, event="leaking.customer")


if __name__ == "__main__":
    main()
