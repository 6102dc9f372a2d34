-- gate_unstated: tools of which every call of the baseline's runs stated what controls go by, and some call of the release's did not.
-- Of side effects only tools that had one count, of approvals only those that needed one.
-- Parameters: release_runs, baseline_runs (lists). Columns: tool_name, side_effects and approvals (calls that do not state it; 0 is none).
WITH call AS (
    SELECT tool_name, run_id IN (SELECT unnest($release_runs)) AS new, nullif(trim(lower(side_effect)), '') AS side_effect, requires_approval
    FROM tool_calls
    WHERE tool_name IS NOT NULL
        AND (run_id IN (SELECT unnest($release_runs)) OR run_id IN (SELECT unnest($baseline_runs)))
),
counted AS (
    SELECT
        tool_name,
        count(*) FILTER (new AND side_effect IS NULL) AS side_effects,
        count(*) FILTER (new AND requires_approval IS NULL) AS approvals,
        count(*) FILTER (NOT new AND side_effect IS NULL) AS old_side_effects,
        count(*) FILTER (NOT new AND requires_approval IS NULL) AS old_approvals,
        coalesce(bool_or(side_effect NOT IN ('none', 'read')) FILTER (NOT new), false) AS acted,
        coalesce(bool_or(requires_approval) FILTER (NOT new), false) AS asked
    FROM call
    GROUP BY tool_name
)
SELECT
    tool_name, CASE WHEN acted AND old_side_effects = 0 THEN side_effects ELSE 0 END AS side_effects,
    CASE WHEN asked AND old_approvals = 0 THEN approvals ELSE 0 END AS approvals
FROM counted
WHERE (acted AND old_side_effects = 0 AND side_effects > 0) OR (asked AND old_approvals = 0 AND approvals > 0)
ORDER BY tool_name
