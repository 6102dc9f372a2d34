"""`auditlake bundle RUN_ID`: a run as evidence that anybody verifies with Python alone."""

import os
import re
import sys
import time
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import EXIT_NO, ConfigOption, DataOption, data_directory, fail, plain

if TYPE_CHECKING:
    from collector.config import Config
    from storage.lake import Lake
    from storage.ledger.bundle import Bundle

_PRICED = ("record_id", "model", "model_requested", "provider", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
           "cost_usd", "cost_source", "price_version")  # fmt: skip
_UNSEEN: Mapping[str, Any] = {"presidio": {"recognizers": {"__all__": {"path"}}}, "vault": {"master_key_env", "master_key_file"}}
"""Parts of a policy that say where things are on this host."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bundle")(bundle)


def bundle(
    run_id: Annotated[
        str | None, typer.Argument(metavar="RUN_ID", help="Run id, one of its traces, or a beginning that no other has.")
    ] = None,
    target: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE.zip", help="Default: ./evidence-RUN.zip.")] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why it is exported; stands in the bundle and in access_log.")] = "",
    verifier: Annotated[bool, typer.Option("--verifier", help="Print the verify.py that bundles carry, and nothing else.")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Write a run as a zip of evidence: records, proofs, checkpoints, policy, prices, and a verify.py that needs Python alone."""
    if verifier:
        from storage.ledger import verify_bundle

        sys.stdout.write(Path(verify_bundle.__file__).read_text(encoding="utf-8"))
        return
    if run_id is None:
        fail("which run?", "auditlake bundle RUN_ID; `auditlake runs` lists them")
    made = _made(data, config, run_id, target, reason)
    typer.echo("\n".join(made.said))
    told = f"{made.path}: {made.rows} rows, {made.bytes:,} bytes"
    typer.echo(f"{told}; whoever gets it needs the keys on another way: auditlake ledger key", err=True)
    if not made.is_signed:
        typer.echo("warning: the exporter's statement is not signed: the ledger's key cannot be read here", err=True)


def _made(data: Path | None, config: Path | None, run_id: str, target: Path | None, reason: str) -> "Bundle":
    from cli.commands._lake import one_run
    from cli.configuration import load_or_fail
    from cli.reading import EXPORT, reading
    from storage.ledger.bundle import Export, places_of_run, write_bundle
    from storage.ledger.keys import Keys

    loaded = load_or_fail(config)
    kept = loaded.ledger.kept(os.environ)
    directory = data_directory(data, config)
    with reading(directory, "bundle", resource=run_id, name=EXPORT, reason=reason) as read:
        name = one_run(read.lake, run_id)
        places = places_of_run(read.lake, name)
        if not places:
            fail(f"no record of the run {run_id} is stored", "`auditlake verify` says what became of them", code=EXIT_NO)
        path = target or Path("evidence-" + re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII)[:100] + ".zip")
        read.shown(len(places), resource=name, stored=[name], to=path)
        files = {**_policy(loaded), **_run(read.lake, name), **_price_file(loaded)}
        software = f"auditlake {version('auditlake')}"
        by, why = read.exporter()
        export = Export(run_id=name, by=by, reason=why, at_ns=time.time_ns(), software=software, files=files)
        return write_bundle(directory, read.lake.catalog, places, path, export, Keys(directory, kept.keys, kept.environ))


def _run(lake: "Lake", run_id: str) -> dict[str, bytes]:
    """The run as it is reconstructed, and how its steps got their cost."""
    from storage.runs import reconstruct

    found = reconstruct(lake, run_id)
    if found is None:
        return {}
    priced = [{name: step.get(name) for name in _PRICED} for step in found["steps"] if step.get("cost_source") is not None]
    versions = Counter(str(step["price_version"]) for step in priced if step["price_version"] is not None)
    return {"run.json": _json(found), "prices.json": _json({"price_versions": versions, "steps": priced})}


def _policy(config: "Config") -> dict[str, bytes]:
    """The redaction policy in force, and the hash by which records name it."""
    from redaction.policy import policy_hash

    policy = config.redaction.model_dump(mode="json", exclude=_UNSEEN)
    return {"policy.json": _json({"policy_hash": policy_hash(config.redaction), "policy": policy})}


def _price_file(config: "Config") -> dict[str, bytes]:
    return {} if config.prices is None else {"prices.yaml": config.prices.content}


def _json(value: object) -> bytes:
    import json

    return (json.dumps(plain(value), ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()
