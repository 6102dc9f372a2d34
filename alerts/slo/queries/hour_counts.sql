-- How many events there were, by hour and labels: of hours that no alert looks into. The query of the events stands in place of the text.
-- Parameters: from_ts, to_ts (TIMESTAMP): the range that is counted, its end excluded; and those of the SLO.
-- Columns: minute (TIMESTAMP), the first of the hour, number (DOUBLE), and the labels.
SELECT date_trunc('hour', time) AS minute, sum(value)::DOUBLE AS number, * EXCLUDE (time, value)
FROM (SELECT 'the events')
WHERE time >= $from_ts AND time < $to_ts
GROUP BY ALL
