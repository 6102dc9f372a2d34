"""The tamper-evident log of what was stored: RFC 6962 trees in C2SP tlog-tiles files under signed checkpoints (docs/ledger.md)."""
