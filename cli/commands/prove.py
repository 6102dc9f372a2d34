"""`auditlake prove`: the proof that a record, or all records of an acknowledged request, are what the log committed to."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.options import EXIT_NO, DataOption, OutputFormat, fail, print_json

if TYPE_CHECKING:
    from storage.lake import Lake
    from storage.ledger.prove import RecordProof

_NAMED: Final = 5


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("prove")(prove)


def prove(
    record_id: Annotated[
        str | None, typer.Argument(metavar="RECORD_ID", help="origin/entry/row, as in the column record_id of every view.")
    ] = None,
    receipt: Annotated[
        str | None,
        typer.Option("--receipt", metavar="TEXT", help="The auditlake-receipt of an acknowledgement: all records of the request."),
    ] = None,
    data: DataOption = None,
    target: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE.tlog-proof", help="Default: standard output.")] = None,
    output: Annotated[OutputFormat, typer.Option("--format", help="json: the same taken apart.")] = OutputFormat.table,
) -> None:
    """Print a record's proof: the record, its path to the log entry, the entry's path to a signed checkpoint (c2sp.org/tlog-proof).

    `verify.py` of `auditlake bundle --verifier` checks it with Python alone. Exit code 1: there is no such record, or none any more.
    """
    if output not in {OutputFormat.table, OutputFormat.json}:
        fail(f"--format {output} is not for proofs", "choose table or json")
    if (record_id is None) == (receipt is None):
        fail("what to prove?", "give a RECORD_ID, or a receipt with --receipt")
    from cli.reading import EXPORT, reading
    from storage.ledger.errors import NoteError
    from storage.ledger.prove import NotProven

    with reading(data, "prove", resource=record_id or "receipt", name=EXPORT) as read:
        try:
            made, missing = _made(read.lake, record_id, receipt)
        except (NotProven, NoteError) as error:
            fail(f"{error.subject} cannot be proven", error.hint, code=EXIT_NO)
        ids = [f"{made.origin}/{record['row']['entry']}/{record['row']['entry_row']}" for record in made.records]
        read.shown(len(ids), resource=ids[0], stored=ids, to=None if output is OutputFormat.json else target)
        _write(made, target, output)
    if missing:
        hint = "they were erased, expired, set aside or are missing: `auditlake verify` says which"
        fail(f"{missing} of the records that the receipt is for are not stored", hint, code=EXIT_NO)


def _made(lake: "Lake", record_id: str | None, receipt: str | None) -> "tuple[RecordProof, int]":
    """The proof, and how many records of a receipt it lacks."""
    from storage.ledger.keys import known_keys
    from storage.ledger.note import VerifierKey
    from storage.ledger.prove import prove as make_proof
    from storage.ledger.prove import prove_receipt

    if receipt is None:
        return make_proof(lake.data, lake.catalog, record_id or ""), 0
    found = prove_receipt(lake.data, lake.catalog, receipt, [VerifierKey.parse(text) for text in known_keys(lake.data)])
    return found.proof, found.receipt.records - len(found.proof.records)


def _write(made: "RecordProof", target: Path | None, output: OutputFormat) -> None:
    names = ", ".join(f"row {record['position']} of {record['table']}" for record in made.records[:_NAMED])
    names += f" and {len(made.records) - _NAMED} more" if len(made.records) > _NAMED else ""
    typer.echo(f"{names} in log entry {made.index} of {made.origin}", err=True)
    if output is OutputFormat.json:
        print_json(made.to_json())
    elif target is None:
        typer.echo(made.text, nl=False)
    else:
        from storage.export import write_export

        write_export(target, made.text.encode())
