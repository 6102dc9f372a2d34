AND run_id IN (SELECT run_id FROM steps WHERE started_at >= $start AND kind = 'tool' AND list_contains($tools::VARCHAR[], tool_name))
