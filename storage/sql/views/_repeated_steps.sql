-- internal.repeated_steps: steps of kind tool, policy and approval that tell again what another step tells, and calls that did not happen,
-- by record key. (Inference steps: see _uncounted.sql.)
--   told: a framework that exports log records tells every call and every decision in them, with its outcome: its spans tell them again;
--   nested: a request of an MCP client within the tool step that made it (up to 4 levels up, through steps of kind other);
--   rejected: a tool span of Claude Code in which the permission was refused: the tool did not run.
-- Columns: record_key (hash of origin, entry, entry_row).
WITH RECURSIVE told AS (
    SELECT DISTINCT run_id, dialect, CASE WHEN step_kind = 'tool' THEN 'call' ELSE 'decision' END AS tells
    FROM events
    WHERE dialect IN ('claude-code', 'codex') AND step_kind IN ('tool', 'policy', 'approval') AND run_id IS NOT NULL
),
requests AS MATERIALIZED (
    SELECT hash(origin, entry, entry_row) AS record_key, hash(trace_id, parent_span_id) AS parent_key
    FROM internal.span_rows
    WHERE dialect = 'mcp' AND step_kind = 'tool' AND parent_span_id IS NOT NULL
),
above AS (
    SELECT r.record_key, k.kind, k.parent_key, 1 AS levels
    FROM requests AS r
    JOIN internal.step_keys AS k ON k.span_key = r.parent_key
    UNION ALL
    (
        SELECT a.record_key, k.kind, k.parent_key, a.levels + 1
        FROM above AS a
        JOIN internal.step_keys AS k ON k.span_key = a.parent_key
        WHERE a.kind = 'other' AND a.levels < 4
    )
)
SELECT hash(s.origin, s.entry, s.entry_row) AS record_key
FROM spans AS s
JOIN told AS t
    ON t.run_id = s.run_id AND t.dialect = s.dialect
    AND t.tells = CASE WHEN s.step_kind = 'tool' OR s.operation = 'tool.execution' THEN 'call' ELSE 'decision' END
WHERE s.dialect IN ('claude-code', 'codex')
  AND (s.step_kind IN ('tool', 'policy', 'approval') OR (s.dialect = 'claude-code' AND s.operation = 'tool.execution'))
UNION
SELECT record_key FROM above WHERE kind = 'tool'
UNION
SELECT hash(c.origin, c.entry, c.entry_row)
FROM internal.span_rows AS c
JOIN internal.span_rows AS w ON w.trace_id = c.trace_id AND w.parent_span_id = c.span_id
WHERE c.dialect = 'claude-code' AND c.step_kind = 'tool'
  AND w.dialect = 'claude-code' AND (w.decision = 'deny' OR w.approval_state = 'denied')
