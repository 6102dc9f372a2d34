-- rereading_spans: spans as far as dialects read them, with their newest canonical columns.
-- Parameters: origin, first and last (entries), date (YYYY-MM-DD). Columns: those of spans that are needed.
SELECT
    * EXCLUDE (
        trace_state, flags, start_time, end_time, dropped_attributes_count, dropped_events_count, dropped_links_count,
        resource_dropped_attributes_count, resource_schema_url, resource_entity_refs, scope_version, scope_attributes,
        scope_dropped_attributes_count, schema_url, salt, redactions, redaction_receipts, policy_hash, schema_version, date
    )
FROM internal.span_rows
WHERE origin = $origin AND entry >= $first AND entry <= $last AND date = $date::DATE
  AND NOT coalesce(starts_with(scope_name, 'auditlake.'), false)
