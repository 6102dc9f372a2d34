"""Checkpoints leave this host: copies, witnesses, time-stamps. Nothing that is received or sealed waits for it."""
