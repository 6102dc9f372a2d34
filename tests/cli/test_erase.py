"""`auditlake erase`, `hold` and `retention`: what they do is done in full, refused in full, and stands in the lake."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from alerts.state import FILE_NAME, AlertStore
from redaction.errors import VaultError
from redaction.pseudonym import load_or_create_key, pseudonym
from redaction.vault import Sealed, Vault, placeholder
from storage.catalog import Catalog
from storage.ledger.verify import Options, verify
from storage.ledger.verify_state import State
from storage.wal import closed_segments
from tests.alerts.test_scheduler import scheduler
from tests.command_line import invoked
from tests.lake_checks import check_lake
from tests.leak_scan import scan
from tests.people import copied, left, run
from tests.polling import wait_until
from tests.sealed_lake import seal

MAIL = "alice.lidell@example.com"
MASTER = os.urandom(32)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with runs of two people, one of whom has a value in the vault; quarantined bytes that name her."""
    data = tmp_path_factory.mktemp("built") / "auditlake-data"
    data.mkdir()
    name = pseudonym(load_or_create_key(data / "keys" / "pseudonym.key"), "EMAIL_ADDRESS", MAIL)
    seal(data, [*run("alice-1", name), *run("bob-1", "bob")], run("alice-2", name, days=400))
    (data / "quarantine").mkdir()
    (data / "quarantine" / "node~collector-000000000009-17.bin").write_bytes(f"\x0a{name}\x12".encode())
    (data / "quarantine" / "node~collector-000000000009-99.bin").write_bytes(b"somebody else")
    with closing(vault(data)) as keeper:
        keeper.seal([Sealed(reference=keeper.reference(MAIL, "PHONE_NUMBER", "1"), subject=MAIL, entity="PHONE_NUMBER", text="1")])
    return data


@pytest.fixture
def folder(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a copy of that lake."""
    monkeypatch.setenv("AUDITLAKE_VAULT_KEY", MASTER.hex())
    monkeypatch.delenv("SUDO_USER", raising=False)
    copied(built, tmp_path / "auditlake-data")
    return tmp_path


def vault(data: Path) -> Vault:
    """The vault of the lake."""
    return Vault.open(data / "vault", MASTER, pseudonym_key=load_or_create_key(data / "keys" / "pseudonym.key"))


def alert_about(data: Path, *runs: str) -> None:
    """A message about each of these runs that names nothing else."""
    AlertStore.open(data).close()
    row = "INSERT INTO outbox (key, receiver, group_key, body, created_at, due_at) VALUES (?, 'log', 'g', ?, '2026', '2026')"
    with closing(sqlite3.connect(data / FILE_NAME)) as alerts, alerts:
        alerts.executemany(row, [(str(number), json.dumps({"labels": {"run_id": run_id}})) for number, run_id in enumerate(runs)])


def configured(folder: Path, retention: str) -> Path:
    """The shipped configuration with a section `extensions.retention`."""
    shipped = Path(__file__).parents[2].joinpath("otel-config.yaml").read_text(encoding="utf-8")
    config = folder / "rules.yaml"
    text = shipped.replace("extensions:\n  health_check", f"extensions:\n  retention: {retention}\n  health_check", 1)
    config.write_text(text.replace("extensions: [", "extensions: [retention, "), encoding="utf-8")
    return config


def answered(done: CompletedProcess[str]) -> Any:
    """The JSON of a command that succeeded."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def erase(folder: Path, *words: str) -> CompletedProcess[str]:
    """Give an order about Alice."""
    return invoked(folder, "erase", "--actor", MAIL, "--reason", "order 7", "--format", "json", *words)


def test_a_person_is_erased_by_the_original_and_everything_else_verifies(folder: Path) -> None:
    """Rows, keys, quarantined bytes; a hold refuses, its release lets it pass; all of it stands in the access log."""
    data = folder / "auditlake-data"
    name = pseudonym(load_or_create_key(data / "keys" / "pseudonym.key"), "EMAIL_ADDRESS", MAIL)
    with closing(vault(data)) as keeper:  # a policy that put names into the vault
        reference = keeper.reference(MAIL, "EMAIL_ADDRESS", MAIL)
        keeper.seal([Sealed(reference=reference, subject=MAIL, entity="EMAIL_ADDRESS", text=MAIL)])
    seal(data, run("alice-3", placeholder("EMAIL_ADDRESS", reference)))
    held = answered(invoked(folder, "hold", "add", "--actor", MAIL, "--reason", "case 3", "--format", "json"))[0]
    assert held["rows"] == 9
    hers = b"alice-1".rjust(16, b".").hex()
    alert_about(data, hers, "another")
    refused = erase(folder, "--yes")
    assert (refused.returncode, held["hold"] in refused.stderr, "alice-1" in left(data)) == (1, True, True)
    assert invoked(folder, "hold", "release", held["hold"], "--reason", "closed").returncode == 0

    done = answered(erase(folder, "--yes"))[0]
    assert (done["rows"], done["vault_values"], done["quarantined"], done["remains"]) == (9, 2, 1, [])
    assert left(data) - {""} == {"bob-1"}
    needles = [MAIL, name, reference, "note of alice-1", "note of alice-3"]
    assert scan(data / "data", needles) == {needle: [] for needle in needles}
    assert scan(data, [MAIL, name, "note of alice-1", hers]) == {MAIL: [], name: [], "note of alice-1": [], hers: []}
    with closing(sqlite3.connect(data / FILE_NAME)) as alerts:
        assert alerts.execute("SELECT key FROM outbox").fetchall() == [("1",)], "an alert that names her run alone went"
    check_lake(data)
    report = verify(data, Options(jobs=1), State())
    assert (report.ok, {finding.order for finding in report.findings if finding.verdict == "ERASED"}) == (True, {done["order"]})

    rows = answered(invoked(folder, "query", "SELECT action, outcome, reason_code FROM access_log ORDER BY time", "--format", "json"))
    told = [(row["action"], row["outcome"], row["reason_code"]) for row in rows if row["action"].split(".")[0] in {"hold", "records"}]
    assert [each[:2] for each in told] == [
        ("hold.add", "requested"), ("hold.add", "success"), ("records.erase", "requested"), ("records.erase", "failure"),
        ("hold.release", "requested"), ("hold.release", "success"), ("records.erase", "requested"), ("records.erase", "success"),
    ]  # fmt: skip
    assert [each[2] for each in told if each[2]] == ["held"]


def test_a_hold_writes_down_no_name_that_no_row_has(folder: Path) -> None:
    """What stands in the rows is on the disk already; anything else is what the policy is there for."""
    name = "mallory.jones@example.com"
    for option in ("--run", "--tenant"):
        refused = invoked(folder, "hold", "add", option, name, "--reason", "case 4")
        assert (refused.returncode, "holds personal data" in refused.stderr) == (2, True)
    assert scan(folder / "auditlake-data", [name]) == {name: []}
    seal(folder / "auditlake-data", run("mallory-1", "mallory"), tenant=name)
    assert answered(invoked(folder, "hold", "add", "--tenant", name, "--reason", "case 4", "--format", "json"))[0]["rows"] == 3


def test_an_order_that_cannot_be_done_in_full_is_not_begun(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --yes, without the vault's key, with a reason that names whom it is about."""
    data = folder / "auditlake-data"
    assert "say --dry-run" in erase(folder).stderr
    preview = erase(folder, "--dry-run")
    assert answered(preview) == [{"table": "events", "rows": 2}, {"table": "spans", "rows": 4}]
    assert [segment.origin.rsplit("/")[-1] for segment in closed_segments(data)] == ["access"]  # who asked whether somebody is here
    naming = invoked(folder, "erase", "--run", "run-of-alice", "--reason", "run-of-alice is to go", "--yes")
    assert (naming.returncode, "names whom" in naming.stderr) == (2, True)
    monkeypatch.delenv("AUDITLAKE_VAULT_KEY")
    assert "master key" in erase(folder, "--yes").stderr
    assert {"alice-1", "alice-2"} < left(data)


def test_an_order_by_the_pseudonym_says_where_copies_are(folder: Path) -> None:
    """The backups of the configuration."""
    data = folder / "auditlake-data"
    name = pseudonym(load_or_create_key(data / "keys" / "pseudonym.key"), "EMAIL_ADDRESS", MAIL)
    config = configured(folder, "{backups: [{name: nightly, keep: 35d}]}")
    words = ("--reason", "order 9", "--yes", "--format", "json", "--config", str(config))
    (done,) = answered(invoked(folder, "erase", "--actor", name, *words))
    assert (done["rows"], left(data) - {""}) == (6, {"bob-1"})
    assert [place.split(":")[0] for place in done["remains"]] == ["backup nightly"]


ACTING = """\
groups:
  - name: people
    interval: 1s
    rules:
      - alert: Acts
        expr: SELECT actor, count(*) AS value FROM spans GROUP BY actor
        annotations: {summary: "{{ labels.actor }} acts"}
"""


def firing(data: Path) -> set[str]:
    """Of whom an alert fires."""
    with closing(sqlite3.connect(data / FILE_NAME)) as alerts:
        return {json.loads(labels).get("actor", "") for (labels,) in alerts.execute("SELECT labels FROM alerts WHERE state = 'firing'")}


def test_a_process_that_evaluates_alerts_writes_nobody_back(folder: Path) -> None:
    """While an alert fires for her, another process erases her; rules go on for everybody else, and nothing names her any more."""
    data = folder / "auditlake-data"
    name = pseudonym(load_or_create_key(data / "keys" / "pseudonym.key"), "EMAIL_ADDRESS", MAIL)
    shutil.rmtree(data / "quarantine")
    rules = folder / "rules.yaml"
    rules.write_text(ACTING, encoding="utf-8")
    with scheduler(data, rules):
        wait_until(lambda: (data / FILE_NAME).exists() and firing(data) >= {name, "bob"})
        words = ("erase", "--actor", MAIL, "--reason", "order 10", "--format", "json", "--yes")
        done = subprocess.run([sys.executable, "-m", "cli", *words], cwd=folder, capture_output=True, text=True, check=False)
        assert (done.returncode, json.loads(done.stdout)[0]["remains"]) == (0, []), done.stderr
        seal(data, run("carol-1", "carol"))
        wait_until(lambda: "carol" in firing(data))
        assert firing(data) - {""} == {"bob", "carol"}
    assert scan(data, [MAIL, name]) == {MAIL: [], name: []}
    assert scan(data, ["carol acts"]) != {"carol acts": []}
    check_lake(data)


def test_an_order_about_a_run_takes_what_only_the_run_refers_to_out_of_the_vault(folder: Path) -> None:
    """Other values of the same person stay, and so does one that another run has, too."""
    data = folder / "auditlake-data"
    with closing(vault(data)) as keeper:
        own, shared = (keeper.reference("carol", "PHONE_NUMBER", text) for text in ("2", "3"))
        keeper.seal([Sealed(reference=each, subject="carol", entity="PHONE_NUMBER", text="2") for each in (own, shared)])
    seal(
        data,
        run("carol-1", placeholder("PHONE_NUMBER", shared)),
        run("carol-2", f"{placeholder('PHONE_NUMBER', shared)} {placeholder('PHONE_NUMBER', own)}"),
    )
    trace = b"carol-2".rjust(16, b".").hex()
    done = answered(invoked(folder, "erase", "--run", trace, "--reason", "order 8", "--format", "json", "--yes"))[0]
    assert (done["rows"], done["vault_values"]) == (3, 1)
    with closing(vault(data)) as keeper:
        assert keeper.reveal(shared).text == "2"
        with pytest.raises(VaultError):
            keeper.reveal(own)


def test_rules_of_the_configuration_are_applied_and_shown(folder: Path) -> None:
    """What is due before, and what was removed."""
    config = configured(folder, "{rules: [{keep: 365d}]}")
    words = ("--config", str(config), "--format", "json")
    before = answered(invoked(folder, "retention", "status", *words))[0]
    assert (before["rule"], before["due_rows_at_most"]) == ("all tables after 365 days, 0:00:00", 3)
    done = answered(invoked(folder, "retention", "apply", *words))[0]
    assert (done["rows"], done["held"], left(folder / "auditlake-data")) == (3, 0, {"alice-1", "bob-1"})
    with closing(Catalog.open(folder / "auditlake-data", read_only=True)) as catalog:
        assert catalog.newest_in_log("node/collector", "expiry", 100) is not None
    check_lake(folder / "auditlake-data")
    report = verify(folder / "auditlake-data", Options(jobs=1), State())
    assert (report.ok, report.counts().get("EXPIRED", 0) > 0) == (True, True)
