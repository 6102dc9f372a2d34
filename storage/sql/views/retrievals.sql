-- retrievals: one row a retrieval. documents and source_ids are JSON, as sent and redacted.
SELECT
    record_id, run_id, session_id, tenant, environment, release, agent_name, actor, started_at, duration_ms, status, error_type,
    name, attributes['gen_ai.data_source.id'] AS data_source,
    coalesce(attributes['gen_ai.retrieval.query.text'], attributes['input.value']) AS query,
    attributes['gen_ai.retrieval.documents'] AS documents,
    attributes['auditlake.retrieval.source_ids'] AS source_ids,
    try_cast(attributes['auditlake.retrieval.freshness_seconds'] AS DOUBLE) AS freshness_seconds,
    attributes['auditlake.retrieval.access_decision'] AS access_decision,
    try_cast(attributes['auditlake.retrieval.citation_required'] AS BOOLEAN) AS citation_required,
    trace_id, span_id, parent_span_id
FROM internal.all_steps
WHERE kind = 'retrieval'
