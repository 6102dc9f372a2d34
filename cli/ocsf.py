"""`auditlake export --ocsf`: audit events as JSON lines that a SIEM takes."""

import json
import sys
import uuid
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path


def export_ocsf(data: Path | None, target: Path | None, *, since: str | None, until: str | None, tenant: str | None) -> int:
    """Write audit events to a file or standard output, one a line; returns how many."""
    from cli.commands._lake import moment
    from cli.reading import EXPORT, filters, reading
    from storage.export import write_export
    from storage.ledger.ocsf import ocsf_events
    from storage.views import query_sql

    now = datetime.now(UTC)
    window = {"from_time": moment(since, "--since", now), "to_time": moment(until, "--until", now)}
    asked = filters(since=since, until=until, tenant=tenant)
    with reading(data, "export", resource="ocsf", statement=asked, name=EXPORT) as read:
        rows = read.lake.sql(query_sql("ocsf_events"), {**window, "tenant": tenant}).to_pylist()
        read.shown(len(rows), to=target)
        events = ocsf_events(rows, software=version("auditlake"), chain=str(uuid.uuid4()))
        lines = (json.dumps(event, ensure_ascii=False) + "\n" for event in events)
        if target is None:
            sys.stdout.writelines(lines)
        else:
            write_export(target, "".join(lines).encode())
    return len(rows)
