-- fixture_spans: the spans of a run's traces, as they were sent and redacted, each once, in an order that does not depend on how they came.
-- Read in an excerpt. Columns: those of SPAN_EVIDENCE that were sent, and tenant (canonical).
SELECT
    trace_id, span_id, parent_span_id, trace_state, flags, name, kind, start_ns, end_ns, status_code, status_message, attributes,
    dropped_attributes_count, events, dropped_events_count, links, dropped_links_count, resource_attributes,
    resource_dropped_attributes_count, resource_schema_url, resource_entity_refs, scope_name, scope_version, scope_attributes,
    scope_dropped_attributes_count, schema_url, tenant
FROM internal.span_rows
ORDER BY start_ns, trace_id, span_id, end_ns, origin, entry, entry_row
