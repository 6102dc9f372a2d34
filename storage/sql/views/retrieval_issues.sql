-- retrieval_issues: one row a problem with evidence (missing_evidence stale_source forbidden_source citation_failure): as an event of its
-- own, and as a retrieval says of itself. source_ids is a JSON list; number is how many sources or citations it concerns, 1 where unknown.
-- A retrieval whose freshness is beyond its own limit has a stale source, whether it says which or not.
WITH said AS (
    SELECT
        record_id, started_at, resource, reason_code, body, tenant, environment, release, agent_name, agent_id, actor, session_id, run_id,
        source, trace_id, span_id, parent_span_id, attributes,
        [{
            'issue': attributes['auditlake.retrieval.issue'], 'source_ids': attributes['auditlake.retrieval.source_ids'],
            'number': NULL::BIGINT
        }] AS issues
    FROM internal.named_events
    WHERE event_name = 'retrieval.issue'
    UNION ALL
    SELECT
        record_id, started_at, resource, reason_code, NULL::VARCHAR, tenant, environment, release, agent_name, agent_id, actor, session_id,
        run_id, source, trace_id, span_id, parent_span_id, attributes,
        [
            {
                'issue': CASE WHEN try_cast(attributes['auditlake.retrieval.missing_evidence'] AS BOOLEAN) THEN 'missing_evidence' END,
                'source_ids': NULL::VARCHAR, 'number': NULL::BIGINT
            },
            {
                'issue': CASE
                    WHEN attributes['auditlake.retrieval.stale_source_ids'] <> '[]' OR
                        try_cast(attributes['auditlake.retrieval.freshness_seconds'] AS DOUBLE)
                        > try_cast(attributes['auditlake.retrieval.max_age_seconds'] AS DOUBLE)
                    THEN 'stale_source'
                END,
                'source_ids': attributes['auditlake.retrieval.stale_source_ids'], 'number': NULL::BIGINT
            },
            {
                'issue': CASE WHEN attributes['auditlake.retrieval.forbidden_source_ids'] <> '[]' THEN 'forbidden_source' END,
                'source_ids': attributes['auditlake.retrieval.forbidden_source_ids'], 'number': NULL::BIGINT
            },
            {
                'issue': CASE
                    WHEN try_cast(attributes['auditlake.retrieval.citation_failures'] AS BIGINT) > 0 THEN 'citation_failure'
                END,
                'source_ids': NULL::VARCHAR, 'number': try_cast(attributes['auditlake.retrieval.citation_failures'] AS BIGINT)
            }
        ]
    FROM internal.span_steps
    WHERE kind = 'retrieval'
)
SELECT
    record_id, started_at AS time, told.issue AS issue, told.source_ids AS source_ids,
    coalesce(told.number, nullif(json_array_length(try_cast(told.source_ids AS JSON)), 0), 1)::BIGINT AS number,
    attributes['gen_ai.data_source.id'] AS data_source, resource, reason_code, body AS message,
    tenant, environment, release, agent_name, agent_id, actor, session_id, run_id, source, trace_id, span_id, parent_span_id
FROM said, unnest(issues) AS unnested(told)
WHERE told.issue IS NOT NULL
