-- retrievals: one row a retrieval. documents and source_ids are JSON, as sent and redacted: a list, or an object of the attributes
-- where a dialect spreads its documents over attributes. missing_evidence, stale, forbidden and citation_failures are what the retrieval
-- says of itself, together with the events retrieval.issue that were written within its span; NULL where nobody said anything.
WITH told AS (
    SELECT
        trace_id, span_id, bool_or(issue = 'missing_evidence') AS missing, bool_or(issue = 'stale_source') AS stale,
        bool_or(issue = 'forbidden_source') AS forbidden, sum(number) FILTER (issue = 'citation_failure')::BIGINT AS citation_failures
    FROM (
        SELECT
            trace_id, span_id, attributes['auditlake.retrieval.issue'] AS issue,
            coalesce(nullif(json_array_length(try_cast(attributes['auditlake.retrieval.source_ids'] AS JSON)), 0), 1) AS number
        FROM internal.named_events
        WHERE event_name = 'retrieval.issue' AND span_id IS NOT NULL
    )
    GROUP BY ALL
)
SELECT
    s.record_id, s.run_id, s.session_id, s.tenant, s.environment, s.release, s.agent_name, s.actor, s.started_at, s.duration_ms, s.status,
    s.error_type, s.name, s.attributes['gen_ai.data_source.id'] AS data_source,
    coalesce(
        s.attributes['gen_ai.retrieval.query.text'], s.attributes['input.value'], s.attributes['mlflow.spanInputs'], s.attributes['gen_ai.prompt']
    ) AS query,
    coalesce(
        s.attributes['gen_ai.retrieval.documents'],
        nullif(
            to_json(map_from_entries(
                list_filter(
                    map_entries(s.attributes),
                    lambda pair: starts_with(pair.key, 'retrieval.documents.') OR starts_with(pair.key, 'reranker.output_documents.')
                )
            ))::VARCHAR,
            '{}'
        ),
        s.attributes['mlflow.spanOutputs'], s.attributes['gen_ai.completion'],
        nullif(
            to_json(list_transform(
                list_filter(s.events, lambda event: event.name IN ('db.query.result', 'db.search.result')), lambda event: event.attributes
            ))::VARCHAR,
            '[]'
        )
    ) AS documents,
    s.attributes['auditlake.retrieval.source_ids'] AS source_ids,
    try_cast(s.attributes['auditlake.retrieval.freshness_seconds'] AS DOUBLE) AS freshness_seconds,
    try_cast(s.attributes['auditlake.retrieval.max_age_seconds'] AS DOUBLE) AS max_age_seconds,
    s.attributes['auditlake.retrieval.access_decision'] AS access_decision,
    try_cast(s.attributes['auditlake.retrieval.citation_required'] AS BOOLEAN) AS citation_required,
    CASE WHEN t.missing THEN true ELSE try_cast(s.attributes['auditlake.retrieval.missing_evidence'] AS BOOLEAN) END AS missing_evidence,
    CASE
        WHEN t.stale THEN true
        WHEN s.attributes['auditlake.retrieval.stale_source_ids'] IS NOT NULL
        THEN s.attributes['auditlake.retrieval.stale_source_ids'] <> '[]'
        ELSE try_cast(s.attributes['auditlake.retrieval.freshness_seconds'] AS DOUBLE)
            > try_cast(s.attributes['auditlake.retrieval.max_age_seconds'] AS DOUBLE)
    END AS stale,
    CASE WHEN t.forbidden THEN true ELSE s.attributes['auditlake.retrieval.forbidden_source_ids'] <> '[]' END AS forbidden,
    CASE
        WHEN t.citation_failures IS NULL THEN try_cast(s.attributes['auditlake.retrieval.citation_failures'] AS BIGINT)
        ELSE t.citation_failures + coalesce(try_cast(s.attributes['auditlake.retrieval.citation_failures'] AS BIGINT), 0)
    END AS citation_failures,
    s.trace_id, s.span_id, s.parent_span_id
FROM internal.all_steps AS s
LEFT JOIN told AS t ON t.trace_id = s.trace_id AND t.span_id = s.span_id
WHERE s.kind = 'retrieval'
