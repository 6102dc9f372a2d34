-- tool_calls: one row a tool call. arguments and result are text or JSON, as sent and redacted.
SELECT
    record_id, run_id, session_id, tenant, environment, release, agent_name, actor, started_at, ended_at, duration_ms, status,
    error_type, status_message, tool_name, tool_call_id, side_effect, requires_approval,
    coalesce(
        attributes['gen_ai.tool.call.arguments'], attributes['tool_arguments'], attributes['ai.toolCall.args'],
        attributes['traceloop.entity.input'], attributes['input.value'], attributes['mlflow.spanInputs'],
        attributes['tool_input'], attributes['tool_parameters'], attributes['arguments'], attributes['gen_ai.prompt'],
        attributes['gcp.vertex.agent.tool_call_args'], attributes['tool.parameters'], told_arguments
    ) AS arguments,
    coalesce(
        try(CASE WHEN starts_with(attributes['mlflow.spanOutputs'], '"') THEN attributes['mlflow.spanOutputs']::JSON ->> '$' END),
        attributes['gen_ai.tool.call.result'], attributes['tool_response'], attributes['ai.toolCall.result'],
        attributes['traceloop.entity.output'], attributes['output.value'], attributes['mlflow.spanOutputs'],
        attributes['output'], attributes['gen_ai.completion'], attributes['gcp.vertex.agent.tool_response'], told_result
    ) AS result,
    attributes['auditlake.tool.authorization'] AS authorization_basis,
    coalesce(retry_count, try_cast(attributes['auditlake.tool.retry_count'] AS BIGINT)) AS retry_count,
    attributes['auditlake.tool.idempotency_key'] AS idempotency_key,
    source, trace_id, span_id, parent_span_id
FROM (
    SELECT
        *, -- as span events, by the older conventions
        list_filter(events, lambda event: event.name = 'gen_ai.tool.message')[1].attributes['content'] AS told_arguments,
        list_filter(events, lambda event: event.name = 'gen_ai.choice')[1].attributes['message'] AS told_result
    FROM internal.all_steps
) AS s
ANTI JOIN internal.repeated_steps AS r ON r.record_key = hash(s.origin, s.entry, s.entry_row)
WHERE kind = 'tool'
