"""The table of docs/telemetry.md, from the collector's own instruments: `python -m docs.telemetry_page`."""

from collections.abc import Iterator
from pathlib import Path

from collector.instruments import INSTRUMENTS, Kind
from collector.prometheus import prometheus_name

PAGE = Path(__file__).parent / "telemetry.md"
BEGIN, END = "<!-- generated: metrics -->\n", "<!-- end -->\n"


def main() -> None:
    """Write the generated part of the page."""
    PAGE.write_text(telemetry_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def telemetry_page(page: str) -> str:
    """Return docs/telemetry.md with its table as the code has it."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + "".join(_rows()) + END + rest.partition(END)[2]


def _rows() -> Iterator[str]:
    yield "| metric | Prometheus | kind | unit | labels | says |\n|---|---|---|---|---|---|\n"
    for one in INSTRUMENTS:
        name = prometheus_name(one.name, one.unit) + ("_total" if one.kind is Kind.COUNTER else "")
        labels = " ".join(f"`{label}`" for label in one.labels)
        yield f"| `{one.name}` | `{name}` | {one.kind.value} | {one.unit} | {labels} | {one.text} |\n"


if __name__ == "__main__":
    main()
