-- title: Every tool call says what it can change
-- rationale: Controls on side effects look at calls that state `write` or `external`: a call that states nothing escapes them.
-- reference: ISO/IEC 42001 A.9.2
SELECT
    record_id, run_id, time, agent_name, tenant, release, tool_name,
    CASE
        WHEN side_effect IS NULL OR side_effect NOT IN ('none', 'read', 'write', 'external')
            THEN 'its side effect is not stated: none, read, write or external'
    END AS problem
FROM tool_authorizations
