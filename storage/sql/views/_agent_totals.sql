-- internal.agent_totals: agents whose own totals are all that is known of what their calls took, by record key: hosted agents, and agents in
-- other processes, whose calls nobody records. An agent's totals count unless a call below it knows its own tokens, an agent around it
-- counts, or another record of its run has the same response id. A call whose parent never came, and a log record in no span, may
-- be anybody's: in their runs no totals count.
-- Columns: record_key (hash of origin, entry, entry_row).
WITH RECURSIVE total AS MATERIALIZED (
    SELECT
        hash(s.origin, s.entry, s.entry_row) AS record_key, hash(s.trace_id, s.span_id) AS span_key, s.trace_id,
        hash(coalesce(m.run_id, s.run_id)) AS run_key, s.response_id, s.start_ns
    FROM internal.span_rows AS s
    LEFT JOIN internal.trace_runs AS m ON m.trace_id = s.trace_id
    ANTI JOIN (SELECT parent_key FROM internal.model_keys WHERE informed) AS c ON c.parent_key = hash(s.trace_id, s.span_id)
    WHERE s.step_kind IN ('agent', 'run') AND coalesce(s.input_tokens, s.output_tokens) IS NOT NULL
        AND NOT coalesce(starts_with(s.scope_name, 'auditlake.'), false) AND s.resent IS NOT TRUE
    QUALIFY row_number() OVER (PARTITION BY s.trace_id, s.span_id ORDER BY hash(s.origin, s.entry, s.entry_row)) = 1 -- sent again
),
span AS MATERIALIZED (
    SELECT hash(trace_id, span_id) AS span_key, CASE WHEN parent_span_id IS NOT NULL THEN hash(trace_id, parent_span_id) END AS parent_key
    FROM internal.span_rows
    WHERE trace_id IN (SELECT trace_id FROM total)
),
call AS MATERIALIZED (
    SELECT parent_key, is_span, run_key FROM internal.model_keys WHERE informed AND run_key IN (SELECT run_key FROM total)
),
anybodys AS (
    SELECT run_key FROM call WHERE parent_key IS NULL AND NOT is_span
    UNION
    SELECT run_key FROM call
    WHERE parent_key NOT IN (
        SELECT hash(trace_id, span_id) FROM internal.span_rows WHERE hash(trace_id, span_id) IN (SELECT parent_key FROM call)
    )
),
above_calls AS (
    SELECT parent_key AS span_key FROM call WHERE parent_key IS NOT NULL
    UNION
    SELECT s.parent_key FROM above_calls AS a JOIN span AS s ON s.span_key = a.span_key WHERE s.parent_key IS NOT NULL
),
alone AS MATERIALIZED (
    SELECT *
    FROM total
    WHERE run_key NOT IN (SELECT run_key FROM anybodys) AND span_key NOT IN (SELECT span_key FROM above_calls)
),
below AS (
    SELECT s.span_key FROM span AS s SEMI JOIN alone AS a ON a.span_key = s.parent_key
    UNION
    SELECT s.span_key FROM span AS s JOIN below AS b ON b.span_key = s.parent_key
)
SELECT record_key
FROM alone
WHERE span_key NOT IN (SELECT span_key FROM below)
QUALIFY response_id IS NULL OR row_number() OVER (PARTITION BY run_key, response_id ORDER BY start_ns, record_key) = 1
