-- contract_gaps: one row a field that the event contract requires of a record and that is not there (docs/contract.md lists them).
-- Nothing is ever rejected for it. record_id is NULL where the field is the run's own.
SELECT run_id, record_id, event, field, agent_name, tenant, release, time
FROM internal.contract_checks
WHERE NOT met
