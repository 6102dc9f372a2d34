-- model_calls: one row an inference (chat, completion, embedding) as a framework reported it.
-- Count, and sum tokens and cost, where counted; input_tokens includes cached ones, output_tokens includes reasoning; NULL is unknown.
-- retried is true on an attempt that failed and was made again. cost_differs is true where the agent's own number is more than 1 % away
-- from ours; NULL where one of the two is not known.
SELECT
    record_id, run_id, session_id, tenant, environment, release, agent_name, actor, started_at, ended_at, duration_ms, status,
    error_type, provider, model_requested, model, operation, prompt_version, response_id, finish_reason, input_tokens, output_tokens,
    cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_usd, cost_source, price_version, counted, trace_id, span_id,
    parent_span_id, token_convention, sent_cost_usd,
    CASE WHEN cost_source <> 'sent' THEN abs(sent_cost_usd - cost_usd) > 0.01 * greatest(abs(sent_cost_usd), abs(cost_usd)) END
        AS cost_differs,
    cache_savings_usd, retried, retry_count
FROM internal.counted_steps
WHERE kind = 'model'
