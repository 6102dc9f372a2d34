"""The telemetry of agents around a text: messages of OpenTelemetry GenAI and OpenInference, calls and results of tools, logs, mail, code.

Every wrap takes a marked text and returns the marked text that holds it, and the attribute key it stands under.
"""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from benchmarks.corpus import filler, people
from benchmarks.corpus.letters import DIGITS, LOWER_ALNUM, hexadecimal, of
from benchmarks.corpus.marks import MARKED, mark

Wrapped = tuple[str, str | None]
PLAIN_KEYS = (
    None, None, "input.value", "output.value", "gen_ai.tool.call.result", "llm.input_messages.0.message.content",
    "llm.output_messages.0.message.content",
    "gen_ai.retrieval.query.text", "exception.message", "body", "traceloop.entity.output", "retrieval.documents.0.document.content",
)  # fmt: skip


def dumped(rng: Random, value: Any) -> str:
    """Return JSON, compact or not; at times with the escapes of writers that escape more than they must."""
    separators = rng.choice(((",", ":"), (", ", ": ")))
    text = json.dumps(value, ensure_ascii=False, separators=separators)
    chance = rng.random()
    if chance < 0.05:
        return escape_inside(text, "@&+'<>")
    return escape_inside(text, None) if chance < 0.15 else text


def escape_inside(text: str, characters: str | None) -> str:
    """Return JSON whose marked values have these characters, or all that are not ASCII, as \\u escapes."""

    def escape(value: str) -> str:
        return "".join(f"\\u{ord(c):04x}" if (c in characters if characters else not c.isascii()) else c for c in value)

    return MARKED.sub(lambda found: mark(found[1], escape(found[2])), text)


def plain(rng: Random, text: str) -> Wrapped:
    return text, rng.choice(PLAIN_KEYS)


def genai_messages(rng: Random, text: str) -> Wrapped:
    """The messages of the GenAI semantic conventions: roles and parts."""
    if rng.random() < 0.3:
        said = {"role": "assistant", "parts": [{"content": text, "type": "text"}], "finish_reason": "stop"}
        return dumped(rng, [said]), "gen_ai.output.messages"
    messages = [
        {"role": "system", "parts": [{"content": "be brief", "type": "text"}], "name": None},
        {"role": "user", "parts": [{"content": text, "type": "text"}], "name": None},
    ]
    return dumped(rng, messages), "gen_ai.input.messages"


def genai_tool_result(rng: Random, text: str) -> Wrapped:
    call = filler.call_id(rng)
    messages = [
        {"role": "assistant", "parts": [{"type": "tool_call", "id": call, "name": rng.choice(filler.TOOLS), "arguments": {"limit": 10}}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": call, "response": text}]},
    ]
    return dumped(rng, messages), "gen_ai.input.messages"


def openai_request(rng: Random, text: str) -> Wrapped:
    """A request of the chat API, as OpenInference records it."""
    messages = [{"role": "system", "content": filler.sentence(rng)}, {"role": "user", "content": text}]
    return dumped(rng, {"model": rng.choice(filler.MODELS), "messages": messages, "temperature": 0.1}), "input.value"


def openai_tool_call(rng: Random, text: str) -> Wrapped:
    """A response that calls a tool: the arguments are JSON inside JSON."""
    function = {"arguments": dumped(rng, {"body": text, "dry_run": False}), "name": rng.choice(filler.TOOLS)}
    message = {"content": None, "role": "assistant", "tool_calls": [{"id": filler.call_id(rng), "function": function, "type": "function"}]}
    body = {
        "id": f"chatcmpl-{of(rng, LOWER_ALNUM, 24)}",
        "choices": [{"finish_reason": "tool_calls", "index": 0, "message": message}],
        "object": "chat.completion",
    }
    return dumped(rng, body), "output.value"


def anthropic_tool_use(rng: Random, text: str) -> Wrapped:
    used = {"type": "tool_use", "id": f"toolu_01{of(rng, LOWER_ALNUM, 22)}", "name": rng.choice(filler.TOOLS), "input": {"command": text}}
    return dumped(rng, {"role": "assistant", "content": [{"type": "text", "text": filler.sentence(rng)}, used]}), rng.choice(
        ("output.value", "gen_ai.output.messages")
    )


def anthropic_tool_result(rng: Random, text: str) -> Wrapped:
    result = {"type": "tool_result", "tool_use_id": f"toolu_01{of(rng, LOWER_ALNUM, 22)}", "content": [{"type": "text", "text": text}]}
    return dumped(rng, [{"role": "user", "content": [result]}]), rng.choice(("input.value", None))


def tool_arguments(rng: Random, text: str) -> Wrapped:
    """The arguments of a call as an attribute of its own."""
    keys = ("gen_ai.tool.call.arguments", "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments", "tool.parameters")
    return dumped(rng, {rng.choice(("text", "query", "content", "command", "body")): text}), rng.choice(keys)


def python_repr(rng: Random, text: str) -> Wrapped:
    """The arguments as a framework that formats with repr leaves them."""
    inputs: dict[str, Any] = {"inputs": {"text": text, "limit": 10}, "tags": [], "metadata": {"attempt": 1}, "kwargs": None}
    return repr(inputs), rng.choice(("tool.parameters", "traceloop.entity.input", None))


def chat_history(rng: Random, text: str) -> Wrapped:
    turns = [f"HumanMessage(content={filler.sentence(rng)!r})", f"ToolMessage(content={text!r}, tool_call_id={filler.call_id(rng)!r})"]
    return f"[{', '.join(turns)}]", "input.value"


def log_json(rng: Random, text: str) -> Wrapped:
    """A line of a logger that writes JSON: its message is the text."""
    line = {
        "timestamp": filler.stamp(rng),
        "level": rng.choice(filler.LEVELS),
        "logger": rng.choice(filler.SERVICES),
        "trace_id": filler.trace_id(rng),
        "message": text,
    }
    return dumped(rng, line), None


def log_text(rng: Random, text: str) -> Wrapped:
    """A line of one of the usual loggers."""
    when, level, service = filler.moment(rng), rng.choice(filler.LEVELS), rng.choice(filler.SERVICES)
    heads = (
        f"{when:%Y-%m-%d %H:%M:%S},{rng.randint(0, 999):03} {level} [{service}] ", f"{level}:root:", f"[{when:%d/%b/%Y:%H:%M:%S +0000}] ",
        f"{when:%b %d %H:%M:%S} {service}[{rng.randint(100, 9999)}]: ",
        f"{when:%Y-%m-%dT%H:%M:%SZ} {level:<7} {service} - ",
        f"{level[0]}{when:%m%d %H:%M:%S}.{of(rng, DIGITS, 6)} {rng.randint(1, 99)} main.go:{rng.randint(1, 400)}] ",
        f"{when:%H:%M:%S.%f} [main] {level} com.acme.{service.replace('-', '.')}.Client - ",
    )  # fmt: skip
    return f"{rng.choice(heads)}{text}", rng.choice((None, None, "body"))


def markdown(rng: Random, text: str) -> Wrapped:
    language = rng.choice(("", "bash", "json", "text", "yaml"))
    return f"## Result\n\n{filler.sentence(rng)}\n\n```{language}\n{text}\n```\n\n- {filler.sentence(rng)}\n", rng.choice(PLAIN_KEYS)


def shell_session(rng: Random, text: str) -> Wrapped:
    prompt = rng.choice(("$ ", "agent@build:~$ ", "root@7f3c1a2b9d4e:/app# ", "❯ "))
    return f"{prompt}cat {filler.path(rng)}\n{text}\n{prompt}echo $?\n0\n", rng.choice(("gen_ai.tool.call.result", "output.value", None))


def stack_trace(rng: Random, text: str) -> Wrapped:
    frames = "".join(
        f'  File "{filler.path(rng)}", line {rng.randint(10, 900)}, in {rng.choice(filler.TOOLS)}\n    return self._send(request)\n'
        for _ in range(2)
    )
    return f"Traceback (most recent call last):\n{frames}RuntimeError: {text}", "exception.stacktrace"


def mail(rng: Random, text: str) -> Wrapped:
    """A message (RFC 5322); the addresses of its head are personal data as well."""
    sender, receiver = (mark("EMAIL_ADDRESS", people.email(rng)) for _ in range(2))
    head = f"From: {sender}\r\nTo: {receiver}\r\nSubject: Your request\r\nDate: {filler.moment(rng):%a, %d %b %Y %H:%M:%S +0000}\r\n"
    return f"{head}\r\n{text}\r\n-- \r\nSupport team\r\n", rng.choice(("gen_ai.tool.call.result", None))


def page(rng: Random, text: str) -> Wrapped:
    cell = f'<td id="c{rng.randint(1, 99)}">{text}</td>'
    return f'<html><body><p class="note">{filler.sentence(rng)}</p>\n{cell}</body></html>', rng.choice(("gen_ai.tool.call.result", None))


def difference(rng: Random, text: str) -> Wrapped:
    """A diff in which the text was added."""
    name = filler.source_name(rng)
    index = f"index {hexadecimal(rng, 7)}..{hexadecimal(rng, 7)} 100644\n--- a/{name}\n+++ b/{name}\n@@ -1,3 +1,4 @@\n"
    return f"diff --git a/{name} b/{name}\n{index} import os\n" + "".join(
        f"+{line}\n" for line in text.splitlines()
    ) + " run()\n", "output.value"


def search_hits(rng: Random, text: str) -> Wrapped:
    """What grep prints: path, line, text; never of a value that has several lines."""
    if any("\n" in found[2] for found in MARKED.finditer(text)):
        return plain(rng, text)
    found = "\n".join(f"{filler.path(rng)[1:]}:{rng.randint(1, 300)}:{line}" for line in text.splitlines())
    return found, "gen_ai.tool.call.result"


WRAPS: tuple[tuple[str, Callable[[Random, str], Wrapped]], ...] = (
    ("plain", plain), ("plain", plain), ("plain", plain), ("plain", plain), ("genai-messages", genai_messages),
    ("genai-messages", genai_messages),
    ("genai-tool-result", genai_tool_result), ("openai-request", openai_request), ("openai-tool-call", openai_tool_call),
    ("anthropic-tool-use", anthropic_tool_use),
    ("anthropic-tool-result", anthropic_tool_result), ("tool-arguments", tool_arguments), ("tool-arguments", tool_arguments),
    ("python-repr", python_repr),
    ("chat-history", chat_history), ("log-json", log_json), ("log-text", log_text), ("log-text", log_text), ("markdown", markdown),
    ("shell-session", shell_session),
    ("stack-trace", stack_trace), ("mail", mail), ("page", page), ("diff", difference), ("search-hits", search_hits),
)  # fmt: skip


def wrapped(rng: Random, text: str) -> tuple[str, str | None, str]:
    """Return the text inside some telemetry, the attribute key, and the name of the form."""
    name, wrap = rng.choice(WRAPS)
    return *wrap(rng, text), name
