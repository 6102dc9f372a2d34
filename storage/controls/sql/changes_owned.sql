-- title: Every change has an owner
-- rationale: A release, version, flag or setting that changed without an owner has nobody who can take it back.
-- reference: SOC 2 CC8.1; NIST SP 800-53 CM-3
SELECT
    record_id, NULL AS run_id, time, agent_name, tenant, release, stage,
    CASE WHEN coalesce(trim(owner), '') = '' THEN 'it has no owner' END AS problem
FROM rollouts
