"""The pages as the command serves them: what they show is in `access_log`, under the dashboard's own origin."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from cli.access import AccessLog
from cli.commands.dashboard import SCRIPT
from cli.page_log import PageLog, configured
from dashboards.visits import Visit
from storage.lake import Lake
from tests.lake_builder import span, write_lake

MAIL = "bob@example.com"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    main = sys.modules["__main__"]
    write_lake(tmp_path / "lake", spans=[span("answer", run="run-1")])
    yield tmp_path / "lake"
    sys.modules["__main__"] = main  # the page that AppTest ran took its place


def visit(**given: Any) -> Visit:
    plain: dict[str, Any] = {"name": "lake.read", "page": "run", "resource": "run-1", "rows": 1, "statement": None, "found": True}
    return Visit(**(plain | {"reader": None, "client": None} | given))


def recorded(data: Path) -> list[dict[str, Any]]:
    AccessLog(configured(None), data, scans=False, via="dashboard").seal()
    with Lake.open(data) as lake:
        return lake.query("SELECT * FROM access_log ORDER BY time").to_pylist(maps_as_pydicts="lossy")


def test_a_page_that_is_opened_stands_in_the_access_log(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(data)])
    app = AppTest.from_file(str(SCRIPT), default_timeout=60).run()
    assert not app.exception, app.exception
    (event,) = recorded(data)
    assert (event["action"], event["resource"], event["outcome"]) == ("page.overview", "overview", "success")
    assert event["origin"].endswith("/dashboard/access")
    assert event["attributes"]["auditlake.access.via"] == "dashboard"
    assert int(event["attributes"]["auditlake.access.rows"]) >= 0


def test_who_the_proxy_names_and_from_where_is_recorded_and_cleaned(data: Path) -> None:
    log = PageLog(data, configured(None))
    log(visit(reader=MAIL, client="192.0.2.7", statement=f"text='{MAIL}' sort='newest'"))
    log(visit(resource=MAIL, found=False))
    first, second = recorded(data)
    assert first["attributes"]["client.address"] == "192.0.2.7"
    assert first["actor"].startswith("<UNSCANNED:")
    assert first["attributes"]["auditlake.access.statement"].endswith("' sort='newest'")
    assert (second["outcome"], second["reason_code"]) == ("failure", "unknown")
    assert MAIL not in str([first, second])


def test_a_configuration_that_got_errors_does_not_stop_the_pages_that_can_be_recorded(tmp_path: Path) -> None:
    (tmp_path / "otel-config.yaml").write_text("nonsense: 1\n")
    assert configured(tmp_path / "otel-config.yaml").audit_reads == "required"
