-- rereading_metrics: data points as far as dialects read them, with their newest canonical columns; a point belongs to no trace.
-- Parameters: origin, first and last (entries), date (YYYY-MM-DD). Columns: those of metrics that are needed, and trace_id (NULL).
SELECT
    * EXCLUDE (
        time, description, unit, type, temporality, monotonic, start_time, start_ns, value, value_int, count, sum, min, max, bucket_bounds,
        bucket_counts, scale, zero_count, zero_threshold, positive_offset, positive_counts, negative_offset, negative_counts, quantiles,
        exemplars, flags, metric_metadata, resource_dropped_attributes_count, resource_schema_url, resource_entity_refs, scope_version,
        scope_attributes, scope_dropped_attributes_count, schema_url, salt, redactions, redaction_receipts, policy_hash, schema_version,
        date
    ),
    NULL::VARCHAR AS trace_id
FROM internal.metric_rows
WHERE origin = $origin AND entry >= $first AND entry <= $last AND date = $date::DATE
  AND NOT coalesce(starts_with(scope_name, 'auditlake.'), false)
