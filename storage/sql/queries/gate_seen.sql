-- gate_seen: when the lake has records of each release. Parameters: releases (list). Columns: release, first_ns, last_ns.
SELECT release, min(start_ns) AS first_ns, max(start_ns) AS last_ns
FROM (
    SELECT release, start_ns, scope_name FROM internal.span_rows
    UNION ALL
    SELECT release, time_ns, scope_name FROM internal.event_rows
)
WHERE list_contains($releases, release) AND NOT coalesce(starts_with(scope_name, 'auditlake.'), false)
GROUP BY release
ORDER BY release
