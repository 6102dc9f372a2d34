AND list_contains($agents::VARCHAR[], agent_name)
