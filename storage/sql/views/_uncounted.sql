-- internal.uncounted: the inference steps whose tokens and cost must not be summed, by record key. Few, so the rest is cheap.
-- Wrappers repeat what they wrap, frameworks report one call several times, and a call that failed is made again. A step counts unless
--   resent: its span came before;
--   nested: a step around it (up to four inference steps, with up to four steps of kind other between two of them) knows its tokens, or
--     it knows no tokens itself and a step within it does. Of two that know the same tokens, the one that knows more about them counts;
--   by_id: its run has another counting step with the same response id that knows more or came first;
--   by_time: another instrumentation reports the same tokens of the same model for the same parent at the same time, and no ids contradict;
--   retried: it failed without tokens, and its parent called the same model again: with the same input, or, where inputs were not
--     captured, right afterwards.
-- Columns: record_key (hash of origin, entry, entry_row), retried (an attempt that was made again; false for another report of a call).
WITH every AS MATERIALIZED (
    SELECT * FROM internal.model_keys
),
between_them AS MATERIALIZED (
    SELECT hash(trace_id, span_id) AS span_key, hash(trace_id, parent_span_id) AS parent_key
    FROM internal.span_rows
    WHERE coalesce(step_kind, 'other') = 'other' AND parent_span_id IS NOT NULL
),
resent AS MATERIALIZED (
    SELECT hash(origin, entry, entry_row) AS record_key
    FROM internal.span_rows
    JOIN (SELECT span_key FROM every WHERE is_span GROUP BY span_key HAVING count(*) > 1) AS c ON c.span_key = hash(trace_id, span_id)
    WHERE step_kind = 'model' AND resent IS NOT TRUE
    QUALIFY row_number() OVER (PARTITION BY trace_id, span_id, start_ns, end_ns ORDER BY hash(origin, entry, entry_row)) > 1
),
model AS MATERIALIZED (  -- the steps of runs in which anything can have been reported or made more than once: mostly few
    SELECT *
    FROM every
    ANTI JOIN resent USING (record_key)
    SEMI JOIN (
        SELECT run_key
        FROM every
        GROUP BY run_key
        HAVING count(*) > 1 AND (min(reporter) <> max(reporter) OR bool_or(failed AND NOT informed))
        UNION ALL
        SELECT any_value(run_key) FROM every WHERE call_key IS NOT NULL GROUP BY call_key HAVING count(*) > 1
        UNION ALL
        SELECT o.run_key
        FROM every AS o
        SEMI JOIN (
            SELECT parent_key FROM every UNION ALL SELECT parent_key FROM between_them
        ) AS i ON i.parent_key = o.span_key
    ) USING (run_key)
),
under AS MATERIALIZED (
    SELECT m.record_key AS outer_key, b.span_key FROM model AS m JOIN between_them AS b ON b.parent_key = m.span_key
),
under_two AS MATERIALIZED (
    SELECT u.outer_key, b.span_key FROM under AS u JOIN between_them AS b ON b.parent_key = u.span_key
),
under_three AS MATERIALIZED (
    SELECT u.outer_key, b.span_key FROM under_two AS u JOIN between_them AS b ON b.parent_key = u.span_key
),
under_four AS MATERIALIZED (
    SELECT u.outer_key, b.span_key FROM under_three AS u JOIN between_them AS b ON b.parent_key = u.span_key
),
around AS MATERIALIZED (  -- an inference step and the next one around it
    SELECT o.outer_key, i.record_key AS inner_key
    FROM model AS i
    JOIN (
        SELECT record_key AS outer_key, span_key FROM model WHERE span_key IS NOT NULL
        UNION ALL
        SELECT * FROM under
        UNION ALL
        SELECT * FROM under_two
        UNION ALL
        SELECT * FROM under_three
        UNION ALL
        SELECT * FROM under_four
    ) AS o ON i.parent_key = o.span_key
    WHERE o.outer_key <> i.record_key
),
around_two AS MATERIALIZED (
    SELECT * FROM around
    UNION
    SELECT o.outer_key, i.inner_key FROM around AS o JOIN around AS i ON i.outer_key = o.inner_key
),
pairs AS MATERIALIZED (
    SELECT
        o.record_key AS outer_key, o.informed AS outer_informed, o.call_key AS outer_call,
        i.record_key AS inner_key, i.informed AS inner_informed, i.call_key AS inner_call,
        o.informed AND i.known > o.known AND o.input_tokens IS NOT DISTINCT FROM i.input_tokens
            AND o.output_tokens IS NOT DISTINCT FROM i.output_tokens AS inner_knows_more
    FROM (
        SELECT * FROM around_two
        UNION
        SELECT o.outer_key, i.inner_key FROM around_two AS o JOIN around_two AS i ON i.outer_key = o.inner_key
    ) AS b
    JOIN model AS o ON o.record_key = b.outer_key
    JOIN model AS i ON i.record_key = b.inner_key
    WHERE b.outer_key <> b.inner_key  -- a span may be its own ancestor
),
nested AS MATERIALIZED (
    SELECT inner_key AS record_key FROM pairs WHERE (outer_informed AND NOT inner_knows_more) OR NOT inner_informed
    UNION
    SELECT outer_key FROM pairs WHERE inner_knows_more OR (inner_informed AND NOT outer_informed)
),
ids_within AS (  -- a wrapper that does not know the id of the one call in it
    SELECT outer_key AS record_key, min(inner_call) AS inner_call
    FROM pairs
    WHERE outer_call IS NULL
    GROUP BY outer_key
    HAVING min(inner_call) = max(inner_call)
),
outermost AS MATERIALIZED (
    SELECT m.* REPLACE (coalesce(m.call_key, w.inner_call) AS call_key)
    FROM model AS m
    ANTI JOIN nested AS n ON n.record_key = m.record_key
    LEFT JOIN ids_within AS w ON w.record_key = m.record_key
),
by_id AS MATERIALIZED (
    SELECT record_key
    FROM outermost
    SEMI JOIN (
        SELECT call_key FROM outermost WHERE call_key IS NOT NULL GROUP BY call_key HAVING count(*) > 1
    ) USING (call_key)
    QUALIFY row_number() OVER (PARTITION BY call_key ORDER BY informed DESC, known DESC, is_span DESC, begin_ns, record_key) > 1
),
suspects AS (
    SELECT
        *, max(end_ns) OVER before_it AS others_end_ns, max(begin_ns) OVER before_it AS others_begin_ns
    FROM outermost
    SEMI JOIN (
        SELECT run_key FROM outermost GROUP BY run_key HAVING min(reporter) <> max(reporter)
    ) USING (run_key)
    ANTI JOIN by_id USING (record_key)
    WINDOW before_it AS (
        PARTITION BY run_key, input_tokens, output_tokens ORDER BY begin_ns, record_key ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),
together AS (  -- calls of the same size that overlap in time are numbered for each reporter: the same numbers are the same calls
    SELECT *, row_number() OVER (PARTITION BY run_key, input_tokens, output_tokens, cluster, reporter ORDER BY begin_ns, record_key) AS nth
    FROM (
        SELECT
            *,
            count(*) FILTER (begin_ns >= others_end_ns AND begin_ns > others_begin_ns)
                OVER (PARTITION BY run_key, input_tokens, output_tokens ORDER BY begin_ns, record_key) AS cluster
        FROM suspects
    )
),
by_time AS MATERIALIZED (
    SELECT record_key
    FROM (
        SELECT
            record_key, call_key, parent_key, is_span, answered_key, asked_key, row_number() OVER best AS place,
            first_value({
                'call_key': call_key, 'parent_key': parent_key, 'is_span': is_span, 'answered_key': answered_key, 'asked_key': asked_key
            }) OVER best AS kept
        FROM together
        WINDOW best AS (
            PARTITION BY run_key, input_tokens, output_tokens, cluster, nth ORDER BY known DESC, is_span DESC, begin_ns, record_key
        )
    )
    WHERE place > 1
      AND coalesce(call_key = kept.call_key, true)
      AND (coalesce(parent_key = kept.parent_key, true) OR NOT (is_span AND kept.is_span))
      AND (kept.answered_key IN (answered_key, asked_key) OR kept.asked_key IN (answered_key, asked_key)
        OR hash(NULL::VARCHAR) IN (asked_key, kept.asked_key))
),
attempts AS (
    SELECT *, row_number() OVER (PARTITION BY parent_key, reporter ORDER BY begin_ns, record_key) AS place
    FROM model
    SEMI JOIN (SELECT DISTINCT parent_key FROM model WHERE failed AND NOT informed) USING (parent_key)
    ANTI JOIN by_id USING (record_key)
    ANTI JOIN by_time USING (record_key)
),
again AS MATERIALIZED (
    SELECT
        f.record_key, f.entry, f.entry_row, n.record_key AS next_key, n.entry AS next_entry, n.entry_row AS next_row,
        n.place = f.place + 1 AND n.asked_key = f.asked_key AS follows
    FROM attempts AS f
    JOIN attempts AS n
        ON n.parent_key = f.parent_key AND n.reporter = f.reporter AND n.begin_ns >= f.end_ns AND n.begin_ns <= f.end_ns + 600000000000
    WHERE f.failed AND NOT f.informed
),
inputs AS MATERIALIZED (
    SELECT
        hash(s.origin, s.entry, s.entry_row) AS record_key,
        list_filter(map_entries(s.attributes), lambda pair:
            pair.key IN (
                'gen_ai.input.messages', 'gen_ai.prompt', 'input.value', 'ai.prompt', 'ai.prompt.messages', 'traceloop.entity.input',
                'mlflow.spanInputs', 'llm.prompts'
            )
            OR starts_with(pair.key, 'gen_ai.prompt.') OR starts_with(pair.key, 'llm.input_messages.')
            OR starts_with(pair.key, 'embedding.embeddings.')
        ) AS of_attributes,
        list_filter(s.events, lambda event:
            starts_with(event.name, 'gen_ai.') AND ends_with(event.name, '.message') AND cardinality(event.attributes) > 0
        ) AS of_events,
        CASE WHEN len(of_attributes) > 0 OR len(of_events) > 0 THEN
            hash(of_attributes, list_transform(of_events, lambda event: {'name': event.name, 'attributes': event.attributes}))
        END AS input_key
    FROM internal.span_rows AS s
    SEMI JOIN (
        SELECT entry, entry_row FROM again UNION SELECT next_entry, next_row FROM again
    ) AS a ON a.entry = s.entry AND a.entry_row = s.entry_row
)
SELECT record_key, bool_or(retried) AS retried
FROM (
    SELECT record_key, false AS retried FROM resent
    UNION ALL
    SELECT record_key, false FROM nested
    UNION ALL
    SELECT record_key, false FROM by_id
    UNION ALL
    SELECT record_key, false FROM by_time
    UNION ALL
    SELECT a.record_key, true
    FROM again AS a
    LEFT JOIN inputs AS i ON i.record_key = a.record_key
    LEFT JOIN inputs AS n ON n.record_key = a.next_key
    WHERE coalesce(i.input_key = n.input_key, a.follows)
)
GROUP BY record_key
