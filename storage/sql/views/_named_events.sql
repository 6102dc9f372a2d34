-- internal.named_events: log records as steps, by the name that the vocabulary knows them by in event_name: as it was sent, or, where it was
-- not sent or is a place in a source (tracing for Rust), by the attribute `event.name`, as the decoder settled it in `operation`.
-- Two branches, so that who asks for one name reads no others.
SELECT * FROM internal.event_steps WHERE event_name IS NOT NULL AND NOT starts_with(event_name, 'event ')
UNION ALL
SELECT * REPLACE (operation AS event_name)
FROM internal.event_steps
WHERE (event_name IS NULL OR starts_with(event_name, 'event ')) AND dialect = 'auditlake'
