AND run_id IN (
    SELECT run_id FROM steps
    WHERE started_at >= $start AND (
        contains(
            lower(concat_ws(' ', run_id, session_id, actor, agent_name, name, tool_name, error_type, status_message, body)),
            lower($text::VARCHAR)
        )
        OR len(list_filter(map_values(attributes), lambda value : contains(lower(value), lower($text::VARCHAR)))) > 0
    )
)
