"""`auditlake export --ocsf`: audit events as JSON lines that a SIEM takes."""

import json
import sys
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from cli.options import fail

if TYPE_CHECKING:
    from collections.abc import Iterator


def export_ocsf(data: Path | None, target: Path | None, *, since: str | None, until: str | None, tenant: str | None) -> int:
    """Write audit events to a file or standard output, one a line; returns how many."""
    from cli.commands._lake import moment
    from cli.reading import EXPORT, filters, reading
    from storage.ledger.ocsf import ocsf_events
    from storage.views import query_sql

    now = datetime.now(UTC)
    window = {"from_time": moment(since, "--since", now), "to_time": moment(until, "--until", now)}
    asked = filters(since=since, until=until, tenant=tenant)
    with reading(data, "export", resource="ocsf", statement=asked, name=EXPORT) as read:
        rows = read.lake.sql(query_sql("ocsf_events"), {**window, "tenant": tenant}).to_pylist()
        read.shown(len(rows))
        with _opened(target) as stream:
            for event in ocsf_events(rows, software=version("auditlake"), chain=str(uuid.uuid4())):
                stream.write(json.dumps(event, ensure_ascii=False) + "\n")
    return len(rows)


@contextmanager
def _opened(target: Path | None) -> "Iterator[TextIO]":
    if target is None:
        yield sys.stdout
        return
    try:
        with target.open("w", encoding="utf-8") as stream:
            yield stream
    except OSError as error:
        fail(f"the events cannot be written to {target}: {error.strerror}", "give a file that can be written with -o")
