"""The functions that begin a step: `run() agent() model_call() tool_call() retrieval() memory()`."""

from typing import Literal

from auditlake import vocabulary as names
from auditlake._lookups import Memory, Retrieval
from auditlake._steps import Agent, ModelCall, Run, SideEffect, ToolCall
from auditlake._values import as_json


def run(
    task_type: str | None = None,
    *,
    run_id: str | None = None,
    session_id: str | None = None,
    actor: str | None = None,
    agent_name: str | None = None,
    agent_id: str | None = None,
    agent_version: str | None = None,
    input_ref: str | None = None,
    after_seq: int = 0,
) -> Run:
    """Begin a run: the work on one request. `task_type` is what sort of work it is (a few values, not one for each request).

    `actor` is on whose behalf it runs (`user.id`), `session_id` the conversation that it belongs to. It is a trace of its own;
    every record inside carries the run's id and a number, so that a gap is seen. The event `run.started` is sent at once.
    `run_id` and `after_seq` continue a run that began elsewhere (after an approval, say).
    """
    common = {
        names.AGENT_NAME: agent_name,
        names.AGENT_ID: agent_id,
        names.AGENT_VERSION: agent_version,
        names.CONVERSATION_ID: session_id,
        names.USER_ID: actor,
    }
    values = {names.OPERATION_NAME: "invoke_agent", names.TASK_TYPE: task_type, names.INPUT_REF: input_ref}
    return Run(values, common=common, run_id=run_id, after_seq=after_seq)


def agent(name: str, *, agent_id: str | None = None, version: str | None = None) -> Agent:
    """Begin the part of a sub-agent within the current run: the steps inside carry its name."""
    values = {names.OPERATION_NAME: "invoke_agent", names.AGENT_NAME: name, names.AGENT_ID: agent_id, names.AGENT_VERSION: version}
    return Agent(f"invoke_agent {name}", values)


def model_call(
    model: str,
    *,
    provider: str | None = None,
    operation: str = "chat",
    prompt_name: str | None = None,
    prompt_version: str | None = None,
    input_ref: str | None = None,
) -> ModelCall:
    """Begin a call of `model`; set tokens, messages and result on what it yields.

    `operation` is OpenTelemetry's: chat, generate_content, text_completion, embeddings.
    """
    values = {
        names.OPERATION_NAME: operation,
        names.REQUEST_MODEL: model,
        names.PROVIDER_NAME: provider,
        names.PROMPT_NAME: prompt_name,
        names.PROMPT_VERSION: prompt_version,
        names.INPUT_REF: input_ref,
    }
    return ModelCall(f"{operation} {model}", values)


def tool_call(
    tool_name: str,
    *,
    arguments: object = None,
    call_id: str | None = None,
    authorization: str | None = None,
    side_effect: SideEffect | None = None,
    requires_approval: bool | None = None,
    retry_count: int | None = None,
    idempotency_key: str | None = None,
) -> ToolCall:
    """Begin a call of a tool; `arguments` are any JSON-like value, redacted by the collector before they are stored.

    `side_effect` says what the tool can do to the world, `requires_approval` that it must not run without an approval,
    `retry_count` the attempts before this one, `idempotency_key` what makes it safe to repeat.
    """
    values = {
        names.OPERATION_NAME: "execute_tool",
        names.TOOL_NAME: tool_name,
        names.TOOL_CALL_ID: call_id,
        names.TOOL_ARGUMENTS: None if arguments is None else as_json(arguments),
        names.TOOL_AUTHORIZATION: authorization,
        names.TOOL_SIDE_EFFECT: side_effect,
        names.TOOL_REQUIRES_APPROVAL: requires_approval,
        names.TOOL_RETRY_COUNT: retry_count,
        names.TOOL_IDEMPOTENCY_KEY: idempotency_key,
    }
    return ToolCall(f"execute_tool {tool_name}", values)


def retrieval(data_source_id: str, *, query: str | None = None) -> Retrieval:
    """Begin a retrieval from a data source; set what came back on what it yields."""
    values = {names.OPERATION_NAME: "retrieval", names.DATA_SOURCE_ID: data_source_id, names.RETRIEVAL_QUERY: query}
    return Retrieval(f"retrieval {data_source_id}", values)


def memory(
    operation: Literal["read", "write"], *, store: str | None = None, retention_class: str | None = None, policy_basis: str | None = None
) -> Memory:
    """Begin reading from or writing to memory; set the ids on what it yields."""
    otel_operation = "search_memory" if operation == "read" else "update_memory"
    values = {
        names.OPERATION_NAME: otel_operation,
        names.MEMORY_OPERATION: operation,
        names.DATA_SOURCE_ID: store,
        names.MEMORY_RETENTION: retention_class,
        names.MEMORY_POLICY_BASIS: policy_basis,
    }
    return Memory(f"{otel_operation} {store}" if store else otel_operation, values)
