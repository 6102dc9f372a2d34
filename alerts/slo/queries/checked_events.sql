-- The events without their time: what is left has to be a value and labels. The query of the events stands in place of the text.
-- Parameters: from_ts, to_ts (TIMESTAMP), and those of the SLO.
-- Columns: value and the labels.
SELECT * EXCLUDE (time)
FROM (SELECT 'the events')
WHERE time >= $from_ts::TIMESTAMP AND time < $to_ts::TIMESTAMP
