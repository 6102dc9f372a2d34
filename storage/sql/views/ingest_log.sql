-- ingest_log: one row a sealed segment. Counts are records: received = stored + rejected + deduplicated + quarantined; withheld
-- counts values; own counts rows that auditlake wrote about itself, which are in no other count; resent counts those of stored that
-- another collector had stored before, NULL where nobody looked.
SELECT
    origin, entry, make_timestamp_ns(sealed_ns)::TIMESTAMP AS sealed_at,
    make_timestamp_ns(first_received_ns)::TIMESTAMP AS first_received_at,
    make_timestamp_ns(last_received_ns)::TIMESTAMP AS last_received_at,
    received, stored, rejected, deduplicated, quarantined, withheld, own, bytes,
    (sealed_ns - last_received_ns) / 1e6 AS lag_ms, policy_hash,
    resent
FROM internal.entries
