-- How fresh the lake is, and whether every received record is accounted for.
-- Parameters: start, recent (naive UTC times: totals and the rate are since then), recent_seconds. Columns: last_sealed_at, received, stored, rejected, deduplicated, quarantined,
-- withheld, unaccounted (received − stored − rejected − deduplicated − quarantined: always 0), lag_p99_ms, per_second, origins.
SELECT
    max(sealed_at) FILTER (received > 0) AS last_sealed_at,
    sum(received) FILTER (sealed_at >= $start) AS received,
    sum(stored) FILTER (sealed_at >= $start) AS stored,
    sum(rejected) FILTER (sealed_at >= $start) AS rejected,
    sum(deduplicated) FILTER (sealed_at >= $start) AS deduplicated,
    sum(quarantined) FILTER (sealed_at >= $start) AS quarantined,
    sum(withheld) FILTER (sealed_at >= $start) AS withheld,
    sum(received - stored - rejected - deduplicated - quarantined) FILTER (sealed_at >= $start) AS unaccounted,
    quantile_cont(lag_ms, 0.99) FILTER (sealed_at >= $start) AS lag_p99_ms,
    sum(received) FILTER (sealed_at >= $recent) / $recent_seconds AS per_second,
    count(DISTINCT origin) AS origins
FROM ingest_log
