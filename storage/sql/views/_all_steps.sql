-- internal.all_steps: spans and log records in one shape: steps without `counted`, which costs a look at every inference step.
SELECT * FROM internal.span_steps
UNION ALL BY NAME
SELECT * FROM internal.event_steps
UNION ALL BY NAME
SELECT * FROM internal.approval_steps
UNION ALL BY NAME
SELECT * FROM internal.execution_steps
UNION ALL BY NAME
SELECT * FROM internal.pending_steps
