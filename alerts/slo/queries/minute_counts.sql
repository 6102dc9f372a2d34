-- How many events there were, by minute and labels. The query of the events stands in place of the text.
-- Parameters: from_ts, to_ts (TIMESTAMP): the range that is counted, its end excluded; and those of the SLO.
-- Columns: minute (TIMESTAMP), number (DOUBLE), and the labels.
SELECT date_trunc('minute', time) AS minute, sum(value)::DOUBLE AS number, * EXCLUDE (time, value)
FROM (SELECT 'the events')
WHERE time >= $from_ts AND time < $to_ts
GROUP BY ALL
