"""`auditlake query`: a user's SQL over the views, read-only."""

from typing import Annotated

import typer

from cli.options import DataOption, FormatOption, OutputFormat, print_rows

OWN = "access_log"
"""The view of reads themselves: they are sealed first, so that none is missing from it."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("query")(query)


def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT over the views; docs/query.md lists them.")],
    data: DataOption = None,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, metavar="SECONDS", help="Stop the query after so long.")] = 60,
    limit: Annotated[
        int, typer.Option("--limit", min=1, metavar="ROWS", help="Print at most so many rows; a cut is said on stderr.")
    ] = 10_000,
    output: FormatOption = OutputFormat.table,
) -> None:
    """Run one read-only SELECT over the lake's views."""
    from cli.reading import reading
    from storage.sandbox import check, truncated_at

    with reading(data, "query", statement=sql) as read:
        tables = check(sql).tables
        if OWN in tables:
            read.show_reads()
        table = read.lake.query(sql, timeout_seconds=timeout, max_rows=limit)
        read.shown(table.num_rows, resource=", ".join(sorted(tables)) or None)
        print_rows(table, output)
        if (cut := truncated_at(table)) is not None:
            typer.echo(f"only the first {cut} rows are shown: there are more; --limit raises the bound", err=True)
