-- model_calls: one row an inference (chat, completion, embedding) as a framework reported it.
-- Sum tokens and cost where counted; input_tokens includes cached ones, output_tokens includes reasoning; NULL is unknown.
SELECT
    record_id, run_id, session_id, tenant, environment, release, agent_name, actor, started_at, ended_at, duration_ms, status,
    error_type, provider, model_requested, model, operation, prompt_version, response_id, finish_reason, input_tokens, output_tokens,
    cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_usd, cost_source, price_version, counted, trace_id, span_id,
    parent_span_id
FROM steps
WHERE kind = 'model'
