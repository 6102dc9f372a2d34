-- evals: one row an evaluation result.
SELECT
    record_id, started_at AS time, run_id, session_id, tenant, environment, release, agent_name,
    eval_name, eval_score, eval_threshold, eval_passed, attributes['gen_ai.evaluation.score.label'] AS label,
    attributes['auditlake.eval.case_id'] AS case_id, attributes['auditlake.eval.evaluator_version'] AS evaluator_version,
    attributes['gen_ai.evaluation.explanation'] AS explanation, trace_id, span_id, parent_span_id
FROM internal.all_steps
WHERE kind = 'eval'
