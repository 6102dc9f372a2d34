"""What every command shares: its options, how rows are printed, and how it fails."""

import csv
import io
import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

DEFAULT_DATA = Path("auditlake-data")
DEFAULT_CONFIG = Path("otel-config.yaml")

EXIT_NO = 1
EXIT_USAGE = 2


class OutputFormat(StrEnum):
    """How a reading command prints its rows."""

    table = "table"
    json = "json"
    csv = "csv"
    parquet = "parquet"


DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="DIR", help="Data directory. Default: the path in otel-config.yaml, else $AUDITLAKE_DATA or ./auditlake-data."
    ),
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Configuration. Default: ./otel-config.yaml, else built-in defaults.")
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        max=64,
        metavar="N",
        help="Receiving processes on the same ports, each an origin of its own (Linux). Default: service.workers, else 1.",
    ),
]
AbandonedOption = Annotated[
    str | None,
    typer.Option(
        "--abandoned-after",
        metavar="TIME",
        help="Silence after which a run without an end is abandoned. Default: the configuration's, else 15m.",
    ),
]
FormatOption = Annotated[OutputFormat, typer.Option("--format", help="How to print rows.")]


def fail(message: str, hint: str | None = None, *, code: int = EXIT_USAGE) -> NoReturn:
    """Say what is wrong and what to do about it on stderr, then exit with `code`."""
    typer.echo(f"auditlake: {message}" + (f"\n  → {hint}" if hint else ""), err=True)
    raise typer.Exit(code)


def is_interrupt(error: BaseException) -> bool:
    """Whether it is Ctrl-C, or what DuckDB makes of it."""
    return isinstance(error, KeyboardInterrupt) or (isinstance(error, RuntimeError) and str(error) == "Query interrupted")


def data_directory(data: Path | None, config: Path | None = None) -> Path:
    """Return the data directory: the option, else the configuration's path, else that of the built-in configuration."""
    if data is not None:
        return data
    if config is not None or DEFAULT_CONFIG.exists():
        from cli.configuration import load_or_fail

        return load_or_fail(config).parquet.path
    return Path(os.environ.get("AUDITLAKE_DATA") or DEFAULT_DATA)


def print_rows(rows: "pa.Table | Sequence[Mapping[str, Any]]", output: OutputFormat, *, columns: Sequence[str] | None = None) -> None:
    """Print rows on stdout in the asked format; `columns` picks and orders what the table form shows."""
    if output is OutputFormat.parquet:
        _print_parquet(rows)
        return
    records: Sequence[Mapping[str, Any]] = rows.to_pylist() if hasattr(rows, "to_pylist") else rows
    if output is OutputFormat.json:
        print_json(records)
    elif output is OutputFormat.csv:
        _print_csv(records)
    else:
        _print_table(records, columns)


def print_json(value: object) -> None:
    """Print one JSON document on stdout: times as RFC 3339, bytes as hex, maps as objects."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False, allow_nan=False) + "\n")


def plain(value: object) -> object:  # noqa: PLR0911
    """Return `value` in JSON's own types; Arrow maps (lists of pairs) become objects, NaN and infinities become strings."""
    match value:
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            if value and all(isinstance(item, tuple) and len(item) == 2 for item in value):
                return {str(key): plain(item) for key, item in value}
            return [plain(item) for item in value]
        case datetime():
            stamp = value if value.tzinfo else value.replace(tzinfo=UTC)
            return stamp.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case bytes():
            return value.hex()
        case float() if not math.isfinite(value):
            return str(value)
        case str() | int() | float() | None:
            return value
        case _:
            return str(value)


def _print_parquet(rows: "pa.Table | Sequence[Mapping[str, Any]]") -> None:
    import pyarrow as pa

    if sys.stdout.isatty():
        fail("Parquet is binary", "send it to a file: … --format parquet > rows.parquet")
    from storage.export import parquet_bytes

    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist([dict(row) for row in rows])
    sys.stdout.buffer.write(parquet_bytes(table))


def _print_csv(records: Sequence[Mapping[str, Any]]) -> None:
    if not records:
        return
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(records[0])
    for record in records:
        writer.writerow([_cell(plain(value)) for value in record.values()])
    sys.stdout.write(buffer.getvalue())


def _print_table(records: Sequence[Mapping[str, Any]], columns: Sequence[str] | None) -> None:
    from rich.table import Table
    from rich.text import Text

    from cli.figures import printable

    if not records:
        typer.echo("no rows", err=True)
        return
    names = list(columns or records[0])
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        numeric = all(isinstance(record.get(name), int | float) or record.get(name) is None for record in records)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold", no_wrap=name.endswith("_id") or name == "started")
    for record in records:
        table.add_row(*[Text(printable(_cell(plain(record.get(name))))) for name in names])
    console().print(table)


def console() -> "Console":
    """Return a console on stdout: as wide as the terminal, or as wide as the rows need when there is none."""
    from rich.console import Console

    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else 10_000)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case dict() | list():
            return json.dumps(value, ensure_ascii=False)
        case float():
            return f"{value:.6g}"
        case _:
            return str(value)
