-- plain_steps: the steps of a run that are spans, or those that are log records ({source} is span or event), in any order: sorting rows
-- of a hundred columns takes as long as reading them. For runs in which no step can be repeated or uncounted. Parameters: run_id.
SELECT * EXCLUDE (salt, sent_run_id) REPLACE (to_json(attributes)::VARCHAR AS attributes)
FROM internal.{source}_steps
WHERE run_id = $run_id
