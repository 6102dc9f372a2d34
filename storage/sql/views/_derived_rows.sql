-- internal.span_rows and internal.event_rows of a lake with derivations: evidence as stored, canonical columns as they were made last.
-- Made of {{sealed}}, the view of a lake without; derived_from says of each row where its canonical columns come from.
SELECT
    s.* REPLACE (
        CASE WHEN d.of_row IS NULL THEN 'sealed' ELSE 'overlay' END AS derived_from,
        {columns}
    )
FROM (
{sealed}
) AS s
LEFT JOIN internal.derivation_rows AS d
    ON d.of_table = '{table}' AND d.of_origin = s.origin AND d.of_entry = s.entry AND d.of_row = s.entry_row
