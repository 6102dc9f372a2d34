"""The sample agents of `auditlake demo`: each a process of its own that emits real OTLP, `python -m cli.demo.<name>`.

They need no model and no network: what the models, tools and users "say" comes from seeded templates; tokens, prices, timings
and failures are plausible. Half of them use the SDK, half plain OpenTelemetry, as real fleets do.
"""

AGENTS = ("support", "research", "report", "failing", "looping", "leaking", "thorough", "silent")
"""In the order in which they are started; `backfill` (the history) goes before them."""
