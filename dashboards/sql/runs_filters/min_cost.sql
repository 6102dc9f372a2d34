AND cost_usd >= $min_cost::DOUBLE
