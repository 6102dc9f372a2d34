-- title: No retrieval returned a source that it was denied
-- rationale: An access that was refused returns nothing: what came back all the same was read without right.
-- reference: SOC 2 CC6.1; ISO/IEC 27001:2022 A.5.15
SELECT
    record_id, run_id, started_at AS time, agent_name, tenant, release, attributes['gen_ai.data_source.id'] AS data_source,
    CASE
        WHEN trim(lower(attributes['auditlake.retrieval.access_decision'])) IN (
            'deny', 'denied', 'block', 'blocked', 'reject', 'rejected', 'refuse', 'refused', 'forbid', 'forbidden'
        )
            AND coalesce(
                nullif(nullif(attributes['auditlake.retrieval.source_ids'], '[]'), ''), nullif(attributes['gen_ai.retrieval.documents'], '[]'),
                attributes['retrieval.documents.0.document.id'], attributes['retrieval.documents.0.document.content']
            ) IS NOT NULL
            THEN 'access was denied, and sources came back'
    END AS problem
FROM steps
WHERE kind = 'retrieval' AND attributes['auditlake.retrieval.access_decision'] IS NOT NULL
