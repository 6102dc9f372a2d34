"""`auditlake redact`: what the policy does to a text, from standard input to standard output."""

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import ConfigOption, fail

if TYPE_CHECKING:
    from redaction.findings import Cleaned
    from redaction.redactor import Redactor

ExplainOption = Annotated[bool, typer.Option("--explain", help="Say which rules fired, where and how sure (offsets in code points).")]
JsonlOption = Annotated[
    bool,
    typer.Option(
        "--jsonl", help='Read lines {"text": …, "key": …?}, write lines {"text": …, "findings": [{entity, start, end, score, rule}]}.'
    ),
]
KeyOption = Annotated[str | None, typer.Option("--key", metavar="KEY", help="The attribute key that the text is the value of.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("redact")(redact)


def redact(config: ConfigOption = None, explain: ExplainOption = False, jsonl: JsonlOption = False, key: KeyOption = None) -> None:
    """Show what the redaction policy does to a text: reads standard input, writes what would be stored."""
    if jsonl and (explain or key is not None):
        fail("--jsonl stands alone: its lines carry the key, and its answers explain themselves")
    from cli.logs import configure_logs
    from redaction.errors import RedactionError

    configure_logs("redact")
    try:
        _clean(_redactor(config), explain=explain, jsonl=jsonl, key=key)
    except RedactionError as error:
        fail(str(error))


def _clean(redactor: "Redactor", *, explain: bool, jsonl: bool, key: str | None) -> None:
    if jsonl:
        for text, line_key in _lines():
            cleaned = redactor.clean_now([(text, line_key)])[0]
            _write(json.dumps({"text": cleaned.text, "findings": list(_findings(text, cleaned))}))
        return
    text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    cleaned = redactor.clean_now([(text, key)])[0]
    sys.stdout.buffer.write(cleaned.text.encode("utf-8", "surrogateescape"))
    if explain:
        _explain(text, cleaned)


def _redactor(config: Path | None) -> "Redactor":
    from cli.configuration import cache_folder, load_or_fail
    from redaction.pseudonym import load_or_create_key
    from redaction.redactor import Redactor

    loaded = load_or_fail(config)
    key_file = loaded.parquet.path / "keys" / "pseudonym.key"
    key = load_or_create_key(key_file) if key_file.exists() else os.urandom(32)
    return Redactor(loaded.redaction, pseudonym_key=key, cache_folder=cache_folder(), vault=_Preview())


class _Preview:
    """Stands for the vault: references that look like real ones, and nothing is kept."""

    def __init__(self) -> None:
        self._key = os.urandom(32)

    def reference(self, subject: str, entity: str, text: str) -> str:
        message = "\0".join((subject, entity, text)).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(message, key=self._key, digest_size=12).hexdigest()

    def generation(self) -> int:
        return 0

    def seal(self, values: Sequence[object]) -> None:
        """Keep nothing."""


def _lines() -> Iterator[tuple[str, str | None]]:
    for number, line in enumerate(sys.stdin.buffer, start=1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
        except ValueError:
            fail(f"line {number} is not JSON", 'each line is an object: {"text": "…", "key": "…"}')
        text, key = (item.get("text"), item.get("key")) if isinstance(item, dict) else (None, None)
        if not isinstance(text, str) or not isinstance(key, str | None):
            fail(f"line {number} has no text", 'each line is an object: {"text": "…", "key": "…"}')
        yield text, key


def _findings(text: str, cleaned: "Cleaned") -> Iterator[dict[str, Any]]:
    """Yield what fired; a value that its key alone decides is one finding over all of it."""
    for each in cleaned.findings:
        yield {"entity": each.entity, "start": each.start, "end": each.end, "score": each.score, "rule": each.rule}
    if not cleaned.findings:
        for entity in cleaned.counts:
            yield {"entity": entity, "start": 0, "end": len(text), "score": 1.0, "rule": f"policy/{entity.lower()}"}


def _explain(text: str, cleaned: "Cleaned") -> None:
    rows = list(_findings(text, cleaned))
    _write("" if cleaned.text.endswith("\n") else "\n")  # one empty line between the text and its explanation
    if not rows:
        _write("nothing found")
        return
    width = max(len(row["entity"]) for row in rows)
    places = [f"{row['start']}–{row['end']}" for row in rows]
    for row, place in zip(rows, places, strict=True):
        _write(f"{row['entity']:<{width}}  {place:<{max(map(len, places))}}  score {row['score']:.2f}  {row['rule']}")


def _write(line: str) -> None:
    sys.stdout.buffer.write(f"{line}\n".encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()
