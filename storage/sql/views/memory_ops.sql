-- memory_ops: one row a read or write of an agent's memory. read_ids and write_ids are JSON lists.
SELECT
    record_id, run_id, session_id, tenant, environment, release, agent_name, actor, started_at, duration_ms, status, error_type,
    name, coalesce(attributes['auditlake.memory.operation'], operation) AS operation,
    coalesce(attributes['gen_ai.memory.store.id'], resource, attributes['gen_ai.data_source.id']) AS store,
    coalesce(attributes['auditlake.memory.read_ids'], CASE WHEN operation = 'search_memory' THEN record END) AS read_ids,
    coalesce(attributes['auditlake.memory.write_ids'], CASE WHEN operation <> 'search_memory' THEN record END) AS write_ids,
    attributes['auditlake.memory.retention_class'] AS retention_class,
    attributes['auditlake.memory.policy_basis'] AS policy_basis,
    trace_id, span_id, parent_span_id
FROM (
    SELECT *, to_json([attributes['gen_ai.memory.record.id']])::VARCHAR AS named,
        CASE WHEN attributes['gen_ai.memory.record.id'] IS NOT NULL THEN named END AS record
    FROM internal.all_steps
    WHERE kind = 'memory'
)
