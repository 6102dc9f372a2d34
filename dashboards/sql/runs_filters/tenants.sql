AND list_contains($tenants::VARCHAR[], tenant)
