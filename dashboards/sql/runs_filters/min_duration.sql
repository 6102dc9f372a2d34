AND duration_ms >= $min_duration::DOUBLE
