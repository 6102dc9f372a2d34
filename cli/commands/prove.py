"""`auditlake prove RECORD_ID`: the proof that a record is what the log committed to."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import EXIT_NO, DataOption, OutputFormat, fail, print_json

if TYPE_CHECKING:
    from storage.ledger.prove import RecordProof


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("prove")(prove)


def prove(
    record_id: Annotated[str, typer.Argument(metavar="RECORD_ID", help="origin/entry/row, as in the column record_id of every view.")],
    data: DataOption = None,
    target: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE.tlog-proof", help="Default: standard output.")] = None,
    output: Annotated[OutputFormat, typer.Option("--format", help="json: the same taken apart.")] = OutputFormat.table,
) -> None:
    """Print a record's proof: the record, its path to the log entry, the entry's path to a signed checkpoint (c2sp.org/tlog-proof).

    `verify.py` of `auditlake bundle --verifier` checks it with Python alone. Exit code 1: there is no such record, or none any more.
    """
    if output not in {OutputFormat.table, OutputFormat.json}:
        fail(f"--format {output} is not for proofs", "choose table or json")
    from cli.reading import EXPORT, reading
    from storage.ledger.prove import NotProven
    from storage.ledger.prove import prove as make_proof

    with reading(data, "prove", resource=record_id, name=EXPORT) as read:
        try:
            made = make_proof(read.lake.data, read.lake.catalog, record_id)
        except NotProven as error:
            fail(f"{error.subject} cannot be proven", error.hint, code=EXIT_NO)
        read.shown(len(made.records), resource=record_id, stored=[record_id])
        _write(made, target, output)


def _write(made: "RecordProof", target: Path | None, output: OutputFormat) -> None:
    names = ", ".join(f"row {record['position']} of {record['table']}" for record in made.records)
    typer.echo(f"{names} in log entry {made.index} of {made.origin}", err=True)
    if output is OutputFormat.json:
        print_json(made.to_json())
    elif target is None:
        typer.echo(made.text, nl=False)
    else:
        try:
            target.write_text(made.text, encoding="utf-8", newline="")
        except OSError as error:
            fail(f"the proof cannot be written to {target}: {error.strerror}", "give a file that can be written with -o")
