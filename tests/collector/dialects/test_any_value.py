"""Whatever a framework puts into its attributes, reading it stops nothing: unknown is NULL."""

import os
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.decode import Decoder
from collector.dialects import claude_code, codex, langsmith, mcp, mlflow
from tests.collector.otlp_samples import header, logs, traces

TABLES = (claude_code.TABLE, codex.TABLE, langsmith.TABLE, mcp.TABLE, mlflow.TABLE)
READ_BESIDE = {
    "span.type", "event.name", "event.kind", "decision", "source", "success", "attempt", "status", "tool_parameters", "outcome", "aborted",
    "codex.turn.token_usage.input_tokens", "codex.usage.total_tokens", "tool_token_count", "http.response.status_code", "error.message",
    "mcp.method.name", "mcp.elicitation.action", "langsmith.span.kind", "langsmith.trace.name", "gen_ai.completion", "gen_ai.prompt",
    "gen_ai.usage.input_token_details", "gen_ai.usage.total_tokens", "mlflow.spanType", "mlflow.spanInputs", "mlflow.spanOutputs",
    "mlflow.chat.tokenUsage", "mlflow.llm.cost", "mlflow.spanFunctionName",
}  # fmt: skip
NAMES = sorted(READ_BESIDE.union(*(table.attributes for table in TABLES)))
WORDS = [
    "llm_request", "tool", "tool.blocked_on_user", "interaction", "accept", "reject", "user_reject", "config", "approved", "true", "false",
    "llm", "chain", "tools/call", "elicitation/create", '"CHAT_MODEL"', '"TOOL"', '"AGENT"', "response.completed", "tr-1", "9" * 40, "\0",
    '{"generations":[[{"message":{"kwargs":{"usage_metadata":{"input_tokens":[1],"output_token_details":3}}}}]]}',
    '{"usage":[1],"choices":[3]}',
    '{"input_tokens":-1,"total_tokens":"x"}', '[{"version":{}}]', '{"total_cost":"NaN"}', "[1,", "{'cache_read': 99999999999999999}", '"',
]  # fmt: skip
LEAVES = st.one_of(
    st.sampled_from(WORDS), st.text(max_size=6), st.integers(-(2**63), 2**63 - 1), st.floats(), st.booleans(), st.binary(max_size=3)
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)), max_leaves=4
)
ATTRIBUTES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=14)
SCOPES = st.sampled_from(["", "com.anthropic.claude_code.events", "codex_exec", "langsmith", "mcp-python-sdk", "mlflow"])
BODIES = st.sampled_from(["claude_code.api_request", "claude_code.tool_decision", "claude_code.tool_result", "text"])
EVENTS = st.sampled_from(["", "api_error", "codex.sse_event", "codex.tool_result", "codex.tool_decision", "codex.api_request"])


@settings(max_examples=120, deadline=None)
@given(ATTRIBUTES, ATTRIBUTES, SCOPES, BODIES, EVENTS, st.integers(0, 7))
def test_no_value_of_any_type_can_stop_decoding(attributes: Any, resource: Any, scope: str, body: str, event: str, kind: int) -> None:
    decoder = Decoder("node/collector", 0)
    one = {"attributes": attributes, "status_code": 2, "kind": kind % 6, "name": body}
    decoder.add(header("traces"), traces(one, scope=scope, resource=resource).SerializeToString())
    record = {"attributes": attributes, "body": body, "event_name": event}
    decoder.add(header("logs"), logs(record, scope=scope, resource=resource).SerializeToString())
    for table in decoder.tables(os.urandom).values():
        table.validate(full=True)
