-- tool_authorizations: one row a tool call, with the last policy decision and the last word on its approval before it ran.
-- A record is of a call when run and call id agree, or, where one of the two states no call id, run and name do: the tool's name, or
-- exactly the action that the call states. policy_problem, approval_problem and approver_problem are NULL when nothing is wrong, and
-- say what is wrong also of calls that need no such thing: read them with side_effect and approval_required. approval_required is
-- true where the agent says so, or where somebody asked for an approval of it. executed is false where the call itself says that it
-- was refused. A policy decision is stale an hour later. An approver is another when it is no actor and no agent of the run, however
-- it is spelled: letters and digits count, and of an address against a plain name what stands before the @. An expiry that cannot be
-- read is none that was kept. A call that was granted only when it had ended needed that approval before.
WITH step AS MATERIALIZED (
    SELECT
        record_id, run_id, tenant, environment, release, agent_name, actor, kind, started_at AS time, start_ns, tool_name, tool_call_id,
        coalesce(action, attributes['auditlake.' || kind || '.action']) AS action,
        side_effect, requires_approval, status, outcome, error_type, dialect, trace_id, span_id, parent_span_id, policy_version, approver,
        lower(trim(CASE WHEN kind = 'policy' THEN decision ELSE approval_state END)) AS state,
        end_ns, nullif(trim(attributes['auditlake.approval.expires_at']), '') AS said_expiry,
        try_cast(try_cast(attributes['auditlake.approval.expires_at'] AS TIMESTAMPTZ) AS TIMESTAMP) AS expires_at,
        coalesce(retry_count, try_cast(attributes['auditlake.tool.retry_count'] AS BIGINT)) AS retry_count,
        attributes['auditlake.tool.idempotency_key'] AS idempotency_key
    FROM internal.all_steps AS s
    ANTI JOIN internal.repeated_steps AS r ON r.record_key = hash(s.origin, s.entry, s.entry_row)
    WHERE kind IN ('tool', 'policy', 'approval')
),
call AS (
    SELECT
        s.* EXCLUDE (state, policy_version, approver, expires_at, said_expiry)
        REPLACE (nullif(s.action, s.tool_name) AS action, coalesce(e.time, s.time) AS time),
        coalesce(e.start_ns, s.start_ns) * 2 + 1 AS ordinal,
        greatest(s.start_ns, s.end_ns) * 2 + 1 AS ended
    FROM step AS s
    LEFT JOIN (
        -- a tool's span of Claude Code holds the wait for the user: the tool itself runs in a span within
        SELECT trace_id, parent_span_id AS span_id, min(start_time) AS time, min(start_ns) AS start_ns
        FROM spans
        WHERE name = 'claude_code.tool.execution'
        GROUP BY ALL
    ) AS e ON e.trace_id = s.trace_id AND e.span_id = s.span_id
    WHERE s.kind = 'tool'
),
wrapped AS (
    SELECT trace_id, span_id, any_value(tool_name) AS tool_name, any_value(tool_call_id) AS tool_call_id
    FROM step
    WHERE kind = 'tool' AND span_id IS NOT NULL
    GROUP BY ALL
),
decided AS (
    SELECT
        * EXCLUDE (wrapped_name, wrapped_call) REPLACE (
            coalesce(tool_name, wrapped_name) AS tool_name,
            coalesce(tool_call_id, wrapped_call) AS tool_call_id,
            CASE
                WHEN kind = 'policy' AND state IN (
                    'allow', 'allowed', 'permit', 'permitted', 'accept', 'accepted', 'approve', 'approved', 'pass', 'passed',
                    'allowed_with_monitoring'
                ) THEN 'allow'
                WHEN kind = 'approval' AND state IN ('grant', 'approve', 'approved', 'accept', 'accepted', 'allow', 'allowed')
                    THEN 'granted'
                WHEN state IN (
                    'deny', 'denied', 'block', 'blocked', 'reject', 'rejected', 'refuse', 'refused', 'forbid', 'forbidden', 'decline',
                    'declined', 'disallow', 'disallowed'
                ) THEN CASE kind WHEN 'policy' THEN 'deny' ELSE 'denied' END
                ELSE state
            END AS state
        )
    FROM (
        -- a decision that names nothing is on the tool in whose span it was made
        SELECT s.*, w.tool_name AS wrapped_name, w.tool_call_id AS wrapped_call
        FROM step AS s
        LEFT JOIN wrapped AS w
            ON coalesce(s.tool_name, s.tool_call_id, s.action) IS NULL AND w.trace_id = s.trace_id AND w.span_id = s.parent_span_id
        WHERE s.kind <> 'tool' AND s.run_id IS NOT NULL AND s.state IS NOT NULL -- an outcome without a decision takes none back
    )
),
-- what a record can be known by: '#' its call id and name, '=' its name where it has no call id, '?' its name for calls without one
named AS (
    SELECT
        *,
        CASE
            WHEN tool_name IS NOT NULL
                THEN ['tool ' || tool_name, 'tool ' || tool_name || ' to ' || coalesce(nullif(action, tool_name), '')]
            WHEN action IS NOT NULL THEN ['action ' || action]
            ELSE []
        END AS names
    FROM decided
),
offered AS (
    SELECT
        kind, run_id, start_ns * 2 + CASE state WHEN 'requested' THEN 0 ELSE 1 END AS ordinal,
        {
            'record_id': record_id, 'time': time, 'state': state, 'version': policy_version, 'approver': approver,
            'expires_at': expires_at, 'unread_expiry': said_expiry IS NOT NULL AND expires_at IS NULL
        } AS found,
        unnest(
            list_transform(names, lambda name: '?' || name)
            || CASE
                WHEN tool_call_id IS NULL THEN list_transform(names, lambda name: '=' || name)
                WHEN len(names) = 0 THEN ['#' || tool_call_id]
                ELSE list_transform(names, lambda name: '#' || tool_call_id || ' ' || name)
            END
        ) AS key
    FROM named
),
wanted AS (
    SELECT record_id, run_id, ordinal, ended, kind, unnest(keys) AS key
    FROM (
        SELECT
            record_id, run_id, ordinal, ended,
            CASE
                WHEN tool_call_id IS NULL THEN list_transform(names, lambda name: '?' || name)
                ELSE list_transform(names, lambda name: '=' || name)
                    || list_transform(names, lambda name: '#' || tool_call_id || ' ' || name) || ['#' || tool_call_id]
            END AS keys
        FROM (
            SELECT
                *,
                CASE
                    WHEN action IS NULL THEN ['tool ' || tool_name, 'action ' || tool_name]
                    ELSE [
                        'tool ' || tool_name || ' to ' || action, 'tool ' || tool_name || ' to ', 'action ' || tool_name,
                        'action ' || action
                    ]
                END AS names
            FROM call
            WHERE run_id IN (SELECT run_id FROM decided)
        )
    ), (VALUES ('policy'), ('approval')) AS each(kind)
),
latest AS (
    SELECT
        record_id,
        arg_max(found, decided_at) FILTER (kind = 'policy') AS policy,
        arg_max(found, decided_at) FILTER (kind = 'approval') AS approval
    FROM (
        SELECT w.record_id, w.kind, o.found, o.ordinal AS decided_at
        FROM wanted AS w
        ASOF JOIN offered AS o ON o.run_id = w.run_id AND o.kind = w.kind AND o.key = w.key AND w.ordinal >= o.ordinal
    )
    GROUP BY record_id
),
approver AS (
    SELECT
        name, regexp_replace(lower(strip_accents(name)), '[^\p{L}\p{N}]', '', 'g') AS spelled,
        CASE WHEN contains(name, '@')
            THEN regexp_replace(lower(strip_accents(split_part(name, '@', 1))), '[^\p{L}\p{N}]', '', 'g')
        END AS before_at
    FROM (SELECT DISTINCT approver AS name FROM decided WHERE approver IS NOT NULL)
),
-- calls that were granted when they had ended, by an approval that no other call ran on
granted_late AS (
    SELECT DISTINCT w.record_id
    FROM wanted AS w
    JOIN (
        SELECT run_id, key, max(ordinal) AS ordinal
        FROM offered
        WHERE kind = 'approval' AND found.state = 'granted'
            AND found.record_id NOT IN (SELECT approval.record_id FROM latest WHERE approval IS NOT NULL)
        GROUP BY ALL
    ) AS o ON o.run_id = w.run_id AND o.key = w.key AND o.ordinal > w.ended
    WHERE w.kind = 'approval'
),
party AS (
    SELECT
        run_id, list(DISTINCT spelled) FILTER (part = 'actor') AS actors, list(DISTINCT spelled) FILTER (part = 'agent') AS agents,
        list(DISTINCT before_at) FILTER (part = 'actor') AS actors_before_at,
        list(DISTINCT spelled) FILTER (part = 'actor' AND before_at IS NULL) AS plain_actors
    FROM (
        SELECT
            run_id, part, regexp_replace(lower(strip_accents(name)), '[^\p{L}\p{N}]', '', 'g') AS spelled,
            CASE WHEN contains(name, '@')
                THEN regexp_replace(lower(strip_accents(split_part(name, '@', 1))), '[^\p{L}\p{N}]', '', 'g')
            END AS before_at
        FROM (
            SELECT DISTINCT run_id, unnest(['actor', 'agent', 'agent']) AS part, unnest([actor, agent_name, agent_id]) AS name
            FROM (SELECT run_id, actor, agent_name, agent_id FROM spans UNION ALL SELECT run_id, actor, agent_name, agent_id FROM events)
            WHERE run_id IN (SELECT run_id FROM decided WHERE kind = 'approval')
        )
        WHERE name IS NOT NULL
    )
    GROUP BY run_id
)
SELECT
    c.record_id, c.run_id, c.tenant, c.environment, c.release, c.agent_name, c.actor, c.time, c.tool_name, c.tool_call_id, c.action,
    c.side_effect, c.requires_approval, c.retry_count, c.idempotency_key, c.status,
    NOT (
        coalesce(lower(c.outcome) IN ('denied', 'blocked', 'rejected', 'refused', 'skipped'), false)
        OR coalesce(regexp_matches(lower(c.error_type), 'denied|rejected|forbidden|blocked|not_?approved|approval_?required'), false)
        -- Codex tells a call that it refused like one that failed
        OR coalesce(
            c.dialect = 'codex' AND c.outcome = 'failure' AND (l.policy.state = 'deny' OR l.approval.state IN ('denied', 'expired')), false
        )
    ) AS executed,
    l.policy.record_id AS policy_record_id, l.policy.state AS policy_decision, l.policy.time AS policy_time,
    l.policy.version AS policy_version,
    CASE
        WHEN l.policy IS NULL THEN 'no policy decision on it before it ran'
        WHEN l.policy.state = 'deny' THEN 'the policy denied it'
        WHEN l.policy.state <> 'allow' THEN 'the policy did not allow it: ' || l.policy.state
        WHEN l.policy.time < c.time - INTERVAL 1 HOUR
            THEN 'the policy decision is stale: ' || date_diff('minute', l.policy.time, c.time) || ' minutes old'
    END AS policy_problem,
    coalesce(c.requires_approval, false) OR l.approval IS NOT NULL OR late.record_id IS NOT NULL AS approval_required,
    l.approval.record_id AS approval_record_id, l.approval.state AS approval_state, l.approval.time AS approval_time,
    l.approval.approver AS approver, l.approval.expires_at AS expires_at,
    CASE
        WHEN l.approval IS NULL AND late.record_id IS NOT NULL THEN 'it was approved only after it ran'
        WHEN l.approval IS NULL THEN 'no approval of it before it ran'
        WHEN l.approval.state = 'requested' THEN 'an approval was asked for and not given'
        WHEN l.approval.state = 'denied' THEN 'its approval was denied'
        WHEN l.approval.state <> 'granted' THEN 'its approval is ' || l.approval.state
        WHEN l.approval.unread_expiry THEN 'the expiry of its approval is no time that can be read'
        WHEN l.approval.expires_at < c.time THEN 'its approval expired at ' || strftime(l.approval.expires_at, '%Y-%m-%d %H:%M:%S')
    END AS approval_problem,
    CASE
        WHEN l.approval.state IS DISTINCT FROM 'granted' THEN NULL
        WHEN coalesce(a.spelled, '') = '' OR starts_with(trim(l.approval.approver), '<') THEN 'who approved it is not recorded'
        WHEN list_contains(p.actors, a.spelled) THEN 'the approver is the actor of the run'
        WHEN a.before_at IS NULL AND list_contains(p.actors_before_at, a.spelled) THEN 'the approver is the actor of the run'
        WHEN list_contains(p.plain_actors, a.before_at) THEN 'the approver is the actor of the run'
        WHEN list_contains(p.agents, a.spelled) THEN 'the approver is an agent of the run'
    END AS approver_problem
FROM call AS c
LEFT JOIN latest AS l ON l.record_id = c.record_id
LEFT JOIN granted_late AS late ON late.record_id = c.record_id
LEFT JOIN party AS p ON p.run_id = c.run_id
LEFT JOIN approver AS a ON a.name = l.approval.approver
