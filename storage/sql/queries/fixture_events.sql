-- fixture_events: the log records of a run's traces and those of the run that belong to no trace, as fixture_spans.
-- Read in an excerpt. Columns: those of EVENT_EVIDENCE that were sent, and tenant (canonical).
SELECT
    trace_id, span_id, flags, time_ns, observed_ns, severity_number, severity_text, event_name, body, attributes,
    dropped_attributes_count, resource_attributes, resource_dropped_attributes_count, resource_schema_url, resource_entity_refs,
    scope_name, scope_version, scope_attributes, scope_dropped_attributes_count, schema_url, tenant
FROM internal.event_rows
ORDER BY time_ns, trace_id, span_id, event_name, origin, entry, entry_row
