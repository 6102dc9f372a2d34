"""`auditlake doctor` names every queue, also that of an exporter that is configured no more, with the remedy."""

import time
from pathlib import Path

from cli.commands.doctor import forwarding
from collector.forwarding.queue import activate, exporter_folder
from collector.forwarding.status import Status
from tests.collector.forwarding.backends import sealed, spans


def test_queues_are_named_with_the_remedy(tmp_path: Path) -> None:
    activate(tmp_path, {"otlp": ["traces"], "otlp_http/b": ["traces"], "otlp_http/old": ["traces"]})
    sealed(tmp_path, spans("a"))
    activate(tmp_path, {"otlp": ["traces"], "otlp_http/b": ["traces"]})
    now_ns = time.time_ns()
    Status(exporter="otlp", updated_ns=now_ns).write(exporter_folder(tmp_path, "otlp"))
    Status(exporter="otlp_http/b", updated_ns=now_ns, trouble="HTTP 503", queue_segments=1).write(exporter_folder(tmp_path, "otlp_http/b"))
    fine, away, old = forwarding(tmp_path)
    assert (fine.state, fine.finding, fine.remedy) == ("ok", "otlp: ok", "")
    assert away.state == "warning"
    assert away.finding.startswith("otlp_http/b: degraded: HTTP 503; 1 segments wait")
    assert old.finding == "otlp_http/old: configured no more, and its queue is not empty"
    assert str(exporter_folder(tmp_path, "otlp_http/old")) in old.remedy


def test_without_exporters_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert list(forwarding(tmp_path)) == []
