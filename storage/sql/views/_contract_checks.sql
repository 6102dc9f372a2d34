-- internal.contract_checks: one row a required field of a record: the eight event types and their fields, and whether each is there.
-- This is the one definition of the event contract: the view contract_gaps, `auditlake contract`, the gate and docs/contract.md follow
-- it. A field that does not apply to a record has no row (docs/contract.md says when). Columns: run_id, record_id (NULL for the run
-- itself), event, field, met, agent_name, tenant, release, time.
WITH found AS (
    SELECT
        run_id, NULL AS record_id, agent_name, tenant, release, started_at AS time, 'run' AS event,
        [
            {'field': 'trace id', 'met': len(trace_ids) > 0},
            {'field': 'run id', 'met': run_id IS NOT NULL},
            {'field': 'actor', 'met': actor IS NOT NULL},
            {'field': 'tenant', 'met': tenant IS NOT NULL},
            {'field': 'environment', 'met': environment IS NOT NULL},
            {'field': 'release', 'met': release IS NOT NULL}
        ] AS fields
    FROM runs
    UNION ALL
    SELECT
        run_id, record_id, agent_name, tenant, release, started_at, 'model',
        [
            {'field': 'model', 'met': coalesce(model, model_requested) IS NOT NULL},
            {'field': 'prompt version', 'met': prompt_version IS NOT NULL},
            {
                'field': 'input reference',
                'met': list_has_any(map_keys(attributes), [
                    'auditlake.input.ref', 'gen_ai.input.messages', 'gen_ai.prompt', 'gen_ai.prompt.0.role', 'gen_ai.prompt.0.content',
                    'gen_ai.content.prompt', 'llm.input_messages.0.message.role', 'llm.input_messages.1.message.role', 'llm.prompts',
                    'llm.prompts.0.prompt.text', 'input.value', 'ai.prompt.messages', 'ai.prompt', 'ai.value', 'ai.values',
                    'traceloop.entity.input', 'mlflow.spanInputs', 'inputs', 'all_messages_events', 'pydantic_ai.all_messages',
                    'embedding.embeddings.0.embedding.text', 'gcp.vertex.agent.llm_request', 'request_data', 'prompt', 'messages'
                ]) OR list_has_any(list_transform(events, lambda each: each.name), [
                    'gen_ai.client.inference.operation.details', 'gen_ai.content.prompt', 'gen_ai.system.message', 'gen_ai.user.message',
                    'gen_ai.assistant.message', 'gen_ai.tool.message'
                ]) OR hash(trace_id, span_id) IN (
                    SELECT hash(trace_id, span_id) FROM internal.event_steps WHERE kind = 'message' AND span_id IS NOT NULL
                )
            },
            {
                'field': 'output status',
                'met': status <> 'unset' OR coalesce(finish_reason, error_type, attributes['auditlake.output.status']) IS NOT NULL
            },
            {
                'field': CASE WHEN status <> 'error' THEN 'tokens' END,
                'met': input_tokens IS NOT NULL AND (output_tokens IS NOT NULL OR coalesce(starts_with(operation, 'embedding'), false))
            },
            {'field': CASE WHEN status <> 'error' THEN 'cost' END, 'met': coalesce(cost_usd, sent_cost_usd) IS NOT NULL},
            {'field': 'latency', 'met': coalesce(latency_ms, duration_ms) IS NOT NULL}
        ]
    FROM internal.counted_steps
    WHERE kind = 'model' AND counted
    UNION ALL
    SELECT
        t.run_id, t.record_id, t.agent_name, t.tenant, t.release, t.started_at, 'tool',
        [
            {'field': 'tool name', 'met': t.tool_name IS NOT NULL},
            {'field': 'redacted arguments', 'met': t.arguments IS NOT NULL},
            {
                'field': 'authorization',
                'met': t.authorization_basis IS NOT NULL OR a.policy_record_id IS NOT NULL OR a.approval_record_id IS NOT NULL
            },
            {'field': 'status', 'met': t.status <> 'unset' OR t.error_type IS NOT NULL OR (t.source = 'span' AND t.ended_at IS NOT NULL)},
            {'field': 'retry count', 'met': t.retry_count IS NOT NULL},
            {
                'field': CASE WHEN t.side_effect IS NULL OR t.side_effect NOT IN ('none', 'read') THEN 'idempotency key' END,
                'met': t.idempotency_key IS NOT NULL
            }
        ]
    FROM tool_calls AS t
    LEFT JOIN tool_authorizations AS a ON a.record_id = t.record_id
    UNION ALL
    SELECT
        run_id, record_id, agent_name, tenant, release, started_at, 'retrieval',
        [
            {'field': 'source ids', 'met': source_ids IS NOT NULL OR documents IS NOT NULL},
            {'field': 'freshness', 'met': freshness_seconds IS NOT NULL},
            {'field': 'access decision', 'met': access_decision IS NOT NULL},
            {'field': 'citation requirements', 'met': citation_required IS NOT NULL}
        ]
    FROM retrievals
    UNION ALL
    SELECT
        run_id, record_id, agent_name, tenant, release, started_at, 'memory',
        [
            {'field': CASE WHEN reads OR NOT writes THEN 'read ids' END, 'met': read_ids IS NOT NULL},
            {'field': CASE WHEN writes OR NOT reads THEN 'write ids' END, 'met': write_ids IS NOT NULL},
            {'field': CASE WHEN writes OR NOT reads THEN 'retention class' END, 'met': retention_class IS NOT NULL},
            {'field': 'policy basis', 'met': policy_basis IS NOT NULL}
        ]
    FROM (
        SELECT
            *,
            coalesce(regexp_matches(lower(operation), '^(read|search|get|list|query|retrieve|recall|load|fetch)'), false)
                OR (operation IS NULL AND read_ids IS NOT NULL) AS reads,
            coalesce(regexp_matches(lower(operation), '^(write|update|create|upsert|delete|add|store|save|remove|append)'), false)
                OR (operation IS NULL AND write_ids IS NOT NULL) AS writes
        FROM memory_ops
    )
    UNION ALL
    SELECT
        run_id, record_id, agent_name, tenant, release, time, 'policy',
        [
            {'field': 'policy version', 'met': policy_version IS NOT NULL},
            {'field': 'decision', 'met': decision IS NOT NULL},
            {'field': 'reason code', 'met': reason_code IS NOT NULL},
            {'field': 'enforcement effect', 'met': effect IS NOT NULL}
        ]
    FROM policy_decisions
    UNION ALL
    SELECT
        run_id, record_id, agent_name, tenant, release, time, 'approval',
        [
            {'field': 'approver role', 'met': approver_role IS NOT NULL},
            {'field': 'exact action', 'met': coalesce(action, tool_name) IS NOT NULL},
            {'field': 'expiry', 'met': expires_at IS NOT NULL},
            {'field': 'result', 'met': approval_state IS NOT NULL}
        ]
    FROM approvals
    UNION ALL
    SELECT
        run_id, record_id, agent_name, tenant, release, time, 'eval',
        [
            {'field': 'case id', 'met': case_id IS NOT NULL},
            {'field': 'evaluator version', 'met': evaluator_version IS NOT NULL},
            {'field': 'score', 'met': eval_score IS NOT NULL},
            {'field': 'threshold', 'met': eval_threshold IS NOT NULL},
            {'field': 'pass/fail', 'met': eval_passed IS NOT NULL}
        ]
    FROM evals
)
SELECT run_id, record_id, event, field.field AS field, coalesce(field.met, false) AS met, agent_name, tenant, release, time
FROM (SELECT * EXCLUDE (fields), unnest(fields) AS field FROM found WHERE run_id IS NOT NULL)
WHERE field.field IS NOT NULL
