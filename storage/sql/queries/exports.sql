-- exports: files that left the lake from a time on, as it recorded them, the first first.
-- Parameters: since_ns (unix ns). Columns: time, actor, action, resource.
SELECT time, actor, action, resource
FROM access_log
WHERE event_name = 'lake.export' AND outcome = 'success' AND epoch_ns(time) >= $since_ns
ORDER BY time, record_id
