"""Unit tests of rules, as `promtool test rules` has them: what was recorded, and what must fire at which time. No lake is needed."""
