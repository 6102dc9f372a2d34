-- title: Every model call records the model that answered
-- rationale: A name such as `latest` means another model tomorrow: only what the provider answered with says which one it was. Calls that
--   failed had no answer.
-- reference: EU AI Act (2024/1689) Art. 12; ISO/IEC 42001 A.6.2.8
SELECT
    record_id, run_id, started_at AS time, agent_name, tenant, release, provider, model_requested, model,
    CASE
        WHEN model IS NULL THEN 'the model that answered is not recorded'
        WHEN regexp_matches(lower(model), '(^|[-_:@/])(latest|default|auto)$') THEN 'the answering model is an alias: ' || model
    END AS problem
FROM model_calls
WHERE counted AND status <> 'error'
