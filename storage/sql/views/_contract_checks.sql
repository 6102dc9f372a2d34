-- internal.contract_checks: one row a required field of a record: the eight event types and their fields, and whether each is there.
-- This is the one definition of the event contract: the view contract_gaps, `auditlake contract`, the gate and docs/contract.md follow
-- it. A field that does not apply to a record has no row (docs/contract.md says when); a blank text is no value. Columns: run_id,
-- record_id (NULL for the run itself), event, field, met, agent_name, tenant, release, time.
WITH step AS (
    SELECT
        *, map_keys(attributes) AS sent, attributes['auditlake.memory.operation'] AS stated,
        list_transform(events, lambda each: each.name) AS told
    FROM internal.counted_steps
    WHERE run_id IS NOT NULL
      AND (kind IN ('tool', 'retrieval', 'memory', 'policy', 'approval', 'eval') OR (kind = 'model' AND counted))
      AND hash(origin, entry, entry_row) NOT IN (SELECT record_key FROM internal.repeated_steps)
),
message AS (SELECT DISTINCT hash(trace_id, span_id) AS span_key FROM events WHERE step_kind = 'message' AND span_id IS NOT NULL),
authorized AS (
    SELECT DISTINCT hash(run_id, name) AS tool_key
    FROM (
        SELECT run_id, unnest([tool_name, action, '#' || tool_call_id]) AS name
        FROM (
            SELECT run_id, tool_name, action, tool_call_id FROM spans
            WHERE step_kind IN ('policy', 'approval') OR approval_state IS NOT NULL
            UNION ALL
            SELECT run_id, tool_name, action, tool_call_id FROM events WHERE step_kind IN ('policy', 'approval')
            UNION ALL
            SELECT run_id, tool_name, action, tool_call_id FROM internal.approval_steps -- a record may tell of several
        )
    )
    WHERE name IS NOT NULL
),
found AS (
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
        run_id, record_id, agent_name, tenant, release, started_at, kind,
        CASE kind
            WHEN 'model' THEN [
                {'field': 'model', 'met': coalesce(model, model_requested) IS NOT NULL},
                {'field': 'prompt version', 'met': prompt_version IS NOT NULL},
                {
                    'field': 'input reference',
                    'met': list_has_any(sent, [
                        'gen_ai.input.messages', 'gen_ai.prompt', 'gen_ai.prompt.0.role', 'gen_ai.prompt.0.content',
                        'gen_ai.content.prompt', 'llm.input_messages.0.message.role', 'llm.input_messages.1.message.role', 'llm.prompts',
                        'llm.prompts.0.prompt.text', 'input.value', 'ai.prompt.messages', 'ai.prompt', 'ai.value', 'ai.values',
                        'traceloop.entity.input', 'mlflow.spanInputs', 'inputs', 'all_messages_events', 'pydantic_ai.all_messages',
                        'embedding.embeddings.0.embedding.text', 'gcp.vertex.agent.llm_request', 'request_data', 'prompt', 'messages'
                    ]) OR list_has_any(told, [
                        'gen_ai.client.inference.operation.details', 'gen_ai.content.prompt', 'gen_ai.system.message',
                        'gen_ai.user.message', 'gen_ai.assistant.message', 'gen_ai.tool.message'
                    ]) OR hash(trace_id, span_id) IN (SELECT span_key FROM message) OR trim(attributes['auditlake.input.ref']) <> ''
                },
                {
                    'field': 'output status',
                    'met': status <> 'unset' OR coalesce(finish_reason, error_type) IS NOT NULL
                        OR trim(attributes['auditlake.output.status']) <> ''
                },
                {
                    'field': CASE WHEN status <> 'error' THEN 'tokens' END,
                    'met': input_tokens IS NOT NULL AND (output_tokens IS NOT NULL OR starts_with(coalesce(operation, ''), 'embedding'))
                },
                {'field': CASE WHEN status <> 'error' THEN 'cost' END, 'met': coalesce(cost_usd, sent_cost_usd) IS NOT NULL},
                {'field': 'latency', 'met': coalesce(latency_ms, duration_ms) IS NOT NULL}
            ]
            WHEN 'tool' THEN [
                {'field': 'tool name', 'met': tool_name IS NOT NULL},
                {
                    'field': 'redacted arguments',
                    'met': list_has_any(sent, [
                        'gen_ai.tool.call.arguments', 'tool_arguments', 'ai.toolCall.args', 'traceloop.entity.input', 'input.value',
                        'mlflow.spanInputs', 'tool_input', 'tool_parameters', 'arguments', 'gcp.vertex.agent.tool_call_args', 'inputs',
                        'gen_ai.prompt', 'tool.parameters'
                    ]) OR list_contains(told, 'gen_ai.tool.message')
                },
                {
                    'field': 'authorization',
                    'met': trim(attributes['auditlake.tool.authorization']) <> ''
                        OR hash(run_id, tool_name) IN (SELECT tool_key FROM authorized)
                        OR hash(run_id, action) IN (SELECT tool_key FROM authorized)
                        OR hash(run_id, '#' || tool_call_id) IN (SELECT tool_key FROM authorized)
                },
                {'field': 'status', 'met': status <> 'unset' OR error_type IS NOT NULL OR (source = 'span' AND ended_at IS NOT NULL)},
                {'field': 'retry count', 'met': retry_count IS NOT NULL OR trim(attributes['auditlake.tool.retry_count']) <> ''},
                {
                    'field': CASE WHEN coalesce(side_effect, '') NOT IN ('none', 'read') THEN 'idempotency key' END,
                    'met': trim(attributes['auditlake.tool.idempotency_key']) <> ''
                }
            ]
            WHEN 'retrieval' THEN [
                {
                    'field': 'source ids',
                    'met': list_has_any(sent, [
                        'gen_ai.retrieval.documents', 'retrieval.documents.0.document.id',
                        'retrieval.documents.0.document.content', 'retrieval.documents.1.document.id',
                        'retrieval.documents.1.document.content', 'mlflow.spanOutputs', 'gen_ai.completion'
                    ]) OR list_contains(told, 'db.query.result') OR trim(attributes['auditlake.retrieval.source_ids']) <> ''
                },
                {'field': 'freshness', 'met': trim(attributes['auditlake.retrieval.freshness_seconds']) <> ''},
                {'field': 'access decision', 'met': trim(attributes['auditlake.retrieval.access_decision']) <> ''},
                {'field': 'citation requirements', 'met': trim(attributes['auditlake.retrieval.citation_required']) <> ''}
            ]
            WHEN 'memory' THEN [
                {'field': CASE WHEN reads OR NOT writes THEN 'read ids' END, 'met': trim(attributes['auditlake.memory.read_ids']) <> ''},
                {'field': CASE WHEN writes OR NOT reads THEN 'write ids' END, 'met': trim(attributes['auditlake.memory.write_ids']) <> ''},
                {
                    'field': CASE WHEN writes OR NOT reads THEN 'retention class' END,
                    'met': trim(attributes['auditlake.memory.retention_class']) <> ''
                },
                {'field': 'policy basis', 'met': trim(attributes['auditlake.memory.policy_basis']) <> ''}
            ]
            WHEN 'policy' THEN [
                {'field': 'policy version', 'met': policy_version IS NOT NULL},
                {'field': 'decision', 'met': decision IS NOT NULL},
                {'field': 'reason code', 'met': reason_code IS NOT NULL},
                {'field': 'enforcement effect', 'met': trim(attributes['auditlake.policy.effect']) <> ''}
            ]
            WHEN 'approval' THEN [
                {'field': 'approver role', 'met': trim(attributes['auditlake.approval.approver_role']) <> ''},
                {'field': 'exact action', 'met': coalesce(action, tool_name) IS NOT NULL},
                {'field': 'expiry', 'met': trim(attributes['auditlake.approval.expires_at']) <> ''},
                {'field': 'result', 'met': approval_state IS NOT NULL}
            ]
            WHEN 'eval' THEN [
                {'field': 'case id', 'met': trim(attributes['auditlake.eval.case_id']) <> ''},
                {'field': 'evaluator version', 'met': trim(attributes['auditlake.eval.evaluator_version']) <> ''},
                {'field': 'score', 'met': eval_score IS NOT NULL},
                {'field': 'threshold', 'met': eval_threshold IS NOT NULL},
                {'field': 'pass/fail', 'met': eval_passed IS NOT NULL}
            ]
        END
    FROM (
        SELECT
            *,
            coalesce(regexp_matches(lower(coalesce(stated, operation)), '^(read|search|get|list|query|retrieve|recall|load|fetch)'), false)
                OR (coalesce(stated, operation) IS NULL AND coalesce(trim(attributes['auditlake.memory.read_ids']) <> '', false)) AS reads,
            coalesce(regexp_matches(
                lower(coalesce(stated, operation)), '^(write|update|create|upsert|delete|add|store|save|remove|append)'
            ), false) OR (coalesce(stated, operation) IS NULL AND coalesce(trim(attributes['auditlake.memory.write_ids']) <> '', false)) AS writes
        FROM step
    )
)
SELECT run_id, record_id, event, field.field AS field, coalesce(field.met, false) AS met, agent_name, tenant, release, time
FROM (SELECT * EXCLUDE (fields), unnest(fields) AS field FROM found WHERE run_id IS NOT NULL)
WHERE field.field IS NOT NULL
