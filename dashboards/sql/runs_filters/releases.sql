AND list_contains($releases::VARCHAR[], release)
