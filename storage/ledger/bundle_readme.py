"""The README of an evidence bundle: for whoever opens it years later and knows nothing of this software."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from storage.ledger.verify_bundle import printable

_TEXT: Final = """\
# Evidence: the run {run_id}

{rows}, exported {at} by {by} with {software}. Reason: {reason}.

## Verify it

    python3 -I verify.py --key KEYS

Python 3.7 or newer is all it takes: no network, nothing installed, nothing written; exit code 0 means that everything is as it was
committed. KEYS is a file outside of this folder with the verifier keys of the logs, one a line, which whoever runs them published before;
`keys.txt` has those that this bundle believes without it, which shows only that it agrees with itself. `--witness KEY` asks for the
cosignature of a witness, `--signed` for the exporter's signature. The zip can be given instead: `verify.py evidence.zip`.
`sha256sum -c SHA256SUMS` checks the files alone.

A forged bundle could bring a forged `verify.py`. It is one file, for reading; `auditlake bundle --verifier` of the version named above
prints it too. Its SHA-256 here: {verifier}

## What is in it

| file | |
|---|---|
| `rows/*.jsonl`, `rows/*.parquet` | the records as they are stored, redacted: `verify.py` proves the JSON; the Parquet is a copy |
| `schema.json` | the type of every column, as the leaf hash of a row uses it |
| `ledger/*/checkpoint` | the signed state of each log that the records stand in, with the cosignatures that are known |
| `ledger/*/*.json`, `ledger/*/*.tlog-proof` | the log entries that commit to the records, each with its proof (c2sp.org/tlog-proof) |
| `ledger/proofs.json` | for each log entry and table: the places of these records, and the hashes of the others |
| `ledger/*/timestamps/` | where there is one: an RFC 3161 time-stamp of the checkpoint (`openssl ts -verify -data … -in …`) |
| `keys.txt` | verifier keys of the logs |
| `manifest.json` | what this is, who exported it and why, how many records of which tables |
| `SHA256SUMS`, `SHA256SUMS.sig` | the digest of every file, and the exporter's signature over them, where the key was at hand |
{more}
## What it shows, and what not

Each record is what the collector stored when it sealed the log entry, byte for byte, and has not been changed since the checkpoint was
signed. When that was is as good as the word of who signed it: the host itself, or a witness or time-stamping authority beside it.

It does not show that these are all records of the run: a record that never reached the collector, or that this export left out, is not
here. Each log entry says how many records it commits to, and `verify.py` how many of them are not here: they can be of other runs, sent
twice, removed since, or left out. Nor does it show that a record is of this run: most name it, by run or trace, and `verify.py` counts
those. Whoever holds the log's key could have signed another history; cosignatures and copies elsewhere rule that out up to the size that
they cover. What stands in `manifest.json`, this file and all others that are no rows in JSON, log entries or checkpoints is the exporter's
word. The signature binds it; without one it is anybody's.
"""

_MORE: Final = {
    "run.json": "the run as auditlake reconstructs it from the records, with what is missing from it",
    "policy.json": "the redaction policy in force at the export, and its hash; `policy_hash` of a record says which one it went through",
    "prices.json": "how each priced step got its cost: tokens, source and version of the price list",
    "prices.yaml": "the price file of the exporter",
}


def readme(manifest: Mapping[str, Any], names: Sequence[str], verifier: str) -> str:
    """Return the text for a bundle with these files beside it; `verifier` is the digest of its `verify.py`."""
    told = manifest["exported"]
    rows = ", ".join(f"{count} {name}" for name, count in manifest["rows"].items())
    more = "".join(f"| `{name}` | {text} |\n" for name, text in _MORE.items() if name in names)
    said = {"run_id": manifest["run_id"], **told, "reason": told["reason"] or "none given"}
    return _TEXT.format(**{name: _inline(text) for name, text in said.items()}, rows=rows, more=more, verifier=verifier)


def _inline(text: str) -> str:
    """A text of anybody, which ends no line and is no markup."""
    return f"`{printable(' '.join(text.split())).replace('`', ' ')}`"
