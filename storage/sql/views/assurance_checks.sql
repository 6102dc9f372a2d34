-- assurance_checks: one row a policy evaluation, trust handshake or credential rotation, with how long it took and whether it worked.
-- success of a policy evaluation: it came to a decision; of the others: their outcome. What durable audit writes took is in audit_writes.
SELECT
    record_id, started_at AS time,
    CASE
        WHEN kind = 'policy' THEN 'policy_evaluation'
        WHEN name = 'trust.handshake' THEN 'trust_handshake'
        ELSE 'credential_rotation'
    END AS check_name,
    CASE
        WHEN outcome IS NOT NULL AND kind <> 'policy' THEN outcome = 'success'
        WHEN status = 'error' THEN false
        WHEN kind = 'policy' THEN decision IS NOT NULL
    END AS success,
    coalesce(latency_ms, duration_ms) AS latency_ms,
    coalesce(resource, action) AS resource, outcome, decision, policy_version, reason_code, error_type,
    tenant, environment, release, agent_name, agent_id, actor, run_id, trace_id, span_id
FROM internal.all_steps
WHERE kind = 'policy' OR (kind = 'other' AND source = 'event' AND name IN ('trust.handshake', 'credential.rotation'))
