-- plain_steps: the steps of a run that are spans, or those that are log records ({source} is span or event), in the order of run_steps.
-- Quicker than that where no step can be repeated or uncounted. Parameters: run_id.
SELECT * EXCLUDE (salt, sent_run_id) REPLACE (to_json(attributes)::VARCHAR AS attributes)
FROM internal.{source}_steps
WHERE run_id = $run_id
ORDER BY start_ns, sequence, span_id, end_ns DESC, {told}record_id
