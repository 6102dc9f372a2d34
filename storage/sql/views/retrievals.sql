-- retrievals: one row a retrieval. documents and source_ids are JSON, as sent and redacted: a list, or an object of the attributes
-- where a dialect spreads its documents over attributes.
SELECT
    record_id, run_id, session_id, tenant, environment, release, agent_name, actor, started_at, duration_ms, status, error_type,
    name, attributes['gen_ai.data_source.id'] AS data_source,
    coalesce(attributes['gen_ai.retrieval.query.text'], attributes['input.value']) AS query,
    coalesce(
        attributes['gen_ai.retrieval.documents'],
        nullif(
            to_json(map_from_entries(
                list_filter(map_entries(attributes), lambda pair: starts_with(pair.key, 'retrieval.documents.'))
            ))::VARCHAR,
            '{}'
        )
    ) AS documents,
    attributes['auditlake.retrieval.source_ids'] AS source_ids,
    try_cast(attributes['auditlake.retrieval.freshness_seconds'] AS DOUBLE) AS freshness_seconds,
    attributes['auditlake.retrieval.access_decision'] AS access_decision,
    try_cast(attributes['auditlake.retrieval.citation_required'] AS BOOLEAN) AS citation_required,
    trace_id, span_id, parent_span_id
FROM internal.all_steps
WHERE kind = 'retrieval'
