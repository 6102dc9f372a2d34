-- dropped_records: what exporters said that they dropped, beside a run: reports of its agent, from its start to five minutes after.
-- Parameters: agent_name, from_time, to_time. Columns: signal, dropped.
SELECT coalesce(attributes['auditlake.dropped.signal'], 'unknown') AS signal,
       sum(try_cast(attributes['auditlake.dropped.count'] AS BIGINT))::BIGINT AS dropped
FROM internal.event_rows
WHERE event_name = 'telemetry.dropped' AND agent_name IS NOT DISTINCT FROM $agent_name
  AND time BETWEEN $from_time AND $to_time + INTERVAL 5 MINUTE
  AND NOT coalesce(starts_with(scope_name, 'auditlake.'), false)
GROUP BY ALL
ORDER BY signal
