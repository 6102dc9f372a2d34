-- ocsf_events: audit events, the earliest first: what agents say that they did, were allowed or were found to do, and what auditlake's own
-- commands, pages and processes did. Parameters: from_time, to_time, tenant (NULL: any).
SELECT
    record_id, origin, entry, entry_row, time_ns, received_ns, severity_number, event_name, body, scope_name, scope_version, attributes,
    resource_attributes, trace_id, span_id, run_id, session_id, tenant, environment, release, agent_name, agent_id, agent_version, actor,
    action, resource, outcome, reason_code, tool_name, decision, policy_version, approver, approval_state, provider, model, policy_hash
FROM events
WHERE
    (
        scope_name IN ('auditlake.access', 'auditlake.collector', 'auditlake.alerts', 'auditlake.anchors', 'auditlake.forward',
            'auditlake.verify')
        OR event_name IN (
            'agent_action', 'policy.decision', 'approval', 'security', 'trust.handshake', 'credential.rotation', 'rollout', 'handoff',
            'incident.opened', 'incident.closed'
        )
    )
    AND ($from_time IS NULL OR time >= $from_time) AND ($to_time IS NULL OR time <= $to_time) AND ($tenant IS NULL OR tenant = $tenant)
ORDER BY time_ns, record_id
