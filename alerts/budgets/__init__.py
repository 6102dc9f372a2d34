"""Budgets: what users, agents and tenants may spend in a period, what they have spent, and the answer to who asks before spending."""
