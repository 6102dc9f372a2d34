AND list_contains($environments::VARCHAR[], environment)
