-- memory_ops: one row a read or write of an agent's memory. read_ids and write_ids are JSON lists.
SELECT
    record_id, run_id, session_id, tenant, environment, release, agent_name, actor, started_at, duration_ms, status, error_type,
    name, coalesce(attributes['auditlake.memory.operation'], operation) AS operation, attributes['gen_ai.data_source.id'] AS store,
    attributes['auditlake.memory.read_ids'] AS read_ids,
    attributes['auditlake.memory.write_ids'] AS write_ids,
    attributes['auditlake.memory.retention_class'] AS retention_class,
    attributes['auditlake.memory.policy_basis'] AS policy_basis,
    trace_id, span_id, parent_span_id
FROM internal.all_steps
WHERE kind = 'memory'
