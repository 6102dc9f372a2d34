AND list_contains($statuses::VARCHAR[], status)
