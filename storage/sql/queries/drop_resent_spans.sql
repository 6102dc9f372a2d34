-- drop_resent_spans: of spans that came more than once the first one stays: a batch that was cut differently when it was sent again, or
-- that went to another collector, is not recognised when it comes. A span is one of its trace, whatever else a second copy says. What
-- is marked as a copy of a request that was stored before goes in any case, as it does from the views.
DELETE FROM temp.span_rows
WHERE resent IS TRUE OR hash(origin, entry, entry_row) IN (
    SELECT hash(origin, entry, entry_row)
    FROM temp.span_rows
    WHERE resent IS NOT TRUE
    QUALIFY row_number() OVER (PARTITION BY trace_id, span_id, start_ns, end_ns, name ORDER BY origin, entry, entry_row) > 1
)
