"""The labelled corpus on which the quality of redaction is measured: what agents send, with personal data and credentials at known places.

It was written by somebody who had not read the rules of redaction, from the formats that the issuers of credentials publish. It is frozen:
a change of any sample changes DIGEST. While rules are written, only the default seed is looked at; HELD_OUT_SEED is for the check that the
rules were not fitted to the samples.
"""

DEFAULT_SEED = 20_251
HELD_OUT_SEED = 77_003
DEFAULT_COUNT = 15_000
DIGEST = "51fc05307a97eacf0601085a115c8c367ccc7128896e1df945c8ca195b727f83"  # pragma: allowlist secret
"""SHA-256 over the samples of the default seed and count."""
