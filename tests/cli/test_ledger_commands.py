"""`auditlake ledger key` and `status`: what a verifier is given, how it changes, and where the logs stand."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from collector.sealer import seal_lock
from storage.catalog import Catalog
from storage.lake import Lake
from storage.layout import LogRecord
from storage.ledger.keys import Keys, create_seed, keys_file
from storage.ledger.log import Log
from storage.ledger.log_writer import LogWriter
from storage.ledger.note import SigningKey, VerifierKey, opened
from tests.command_line import invoked

NOW_NS = 1_795_262_400 * 1_000_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a lake of two logs."""
    data = tmp_path / "auditlake-data"
    with closing(Catalog.open(data)) as catalog:
        catalog.append_log([LogRecord(origin=f"node/{name}", kind="segment", entry=0, body=b"{}") for name in ("access", "collector")])
        LogWriter(data, catalog, Keys(data)).catch_up(NOW_NS, None)
        catalog.append_log([LogRecord(origin="node/access", kind="segment", entry=1, body=b"{}")])
    return tmp_path


def test_the_keys_that_are_printed_verify_the_checkpoints(folder):
    result = invoked(folder, "ledger", "key")
    assert result.returncode == 0
    for text, origin in zip(result.stdout.splitlines(), ("node/access", "node/collector"), strict=True):
        note = Log(folder / "auditlake-data", origin).checkpoint()
        assert note is not None
        assert opened(note, [VerifierKey.parse(text)]).body.startswith(f"{origin}\n")


def test_a_key_that_somebody_put_beside_the_data_is_not_handed_out_unnoticed(folder):
    data = folder / "auditlake-data"
    assert invoked(folder, "ledger", "key").stderr == ""
    forged = SigningKey.from_seed("node/access", bytes(32)).verifier
    with keys_file(data).open("a") as file:
        file.write(f"no key\n{forged}\n")
    result = invoked(folder, "ledger", "key")
    assert "another key than the one in use for node/access: find out who wrote the file" in result.stderr
    assert "no key" not in result.stdout


def test_the_key_of_a_log_to_come_is_printed_before_it_begins(tmp_path):
    result = invoked(tmp_path, "ledger", "key", "--origin", "edge/collector", "--format", "json")
    (row,) = json.loads(result.stdout)
    assert row == {"origin": "edge/collector", "key": str(Keys(tmp_path / "auditlake-data").signer("edge/collector").verifier)}
    assert invoked(tmp_path, "ledger", "key").returncode == 1


def test_status_says_what_is_written_and_what_waits(folder):
    rows = json.loads(invoked(folder, "ledger", "status", "--format", "json").stdout)
    assert [(row["origin"], row["entries"], row["waiting"], row["signed_at"]) for row in rows] == [
        ("node/access", 1, 1, "2026-11-21T12:00:00Z"),
        ("node/collector", 1, 0, "2026-11-21T12:00:00Z"),
    ]


def test_status_names_a_damaged_checkpoint_and_goes_on(folder):
    (folder / "auditlake-data" / "ledger" / "node" / "access" / "checkpoint").write_text("nothing\n")
    told = invoked(folder, "ledger", "status", "--format", "json")
    assert [(row["origin"], row["entries"], row["waiting"]) for row in json.loads(told.stdout)] == [
        ("node/access", None, None),
        ("node/collector", 1, 0),
    ]
    assert told.returncode == 1
    assert "node/access/checkpoint" in told.stderr


def test_rotating_writes_what_waits_and_prints_the_new_keys(folder):
    before = invoked(folder, "ledger", "key").stdout
    result = invoked(folder, "ledger", "key", "--rotate")
    assert result.returncode == 0
    after = invoked(folder, "ledger", "key").stdout
    assert set(result.stdout.splitlines()) < set(after.splitlines())
    assert not set(before.splitlines()) & set(after.splitlines())
    assert [each.get("kind") for each in Log(folder / "auditlake-data", "node/access").entries()] == [None, None, "key"]
    with Lake.open(folder / "auditlake-data") as lake:
        told = lake.sql("SELECT outcome, attributes['auditlake.ledger.keys'] AS keys FROM access_log ORDER BY time").to_pylist()
    assert [row["outcome"] for row in told] == ["requested", "success"]
    assert json.loads(told[1]["keys"]) == result.stdout.splitlines()


def test_rotating_to_a_key_elsewhere_goes_on_when_the_configuration_names_it(folder):
    create_seed(folder / "new.key")
    assert invoked(folder, "ledger", "key", "--rotate", "--to-file", "new.key").returncode == 0
    refused = invoked(folder, "ledger", "key", "--rotate")
    assert refused.returncode == 2
    assert "another one is configured" in refused.stderr
    config = Path(__file__).parents[2] / "otel-config.yaml"
    named = config.read_text().replace("extensions:\n  health", "extensions:\n  ledger: {key_file: new.key}\n  health", 1)
    (folder / "named.yaml").write_text(named)
    assert invoked(folder, "ledger", "key", "--rotate", "--config", "named.yaml").returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--lost",), "say --rotate"),
        (("--rotate", "--to-file", "a", "--to-env", "B"), "either --to-file or --to-env"),
        (("--rotate", "--to-env", "NOT_THERE"), "NOT_THERE"),
        (("--rotate", "--lost"), "nothing was lost"),
        (("--rotate", "--data", "nowhere"), "there is no lake here"),
    ],
)
def test_what_cannot_be_rotated_is_told_with_its_remedy(folder, words, said):
    result = invoked(folder, "ledger", "key", *words)
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_key_never_stands_in_a_message(folder):
    """Neither the one in use nor what is wrongly given for one."""
    keys = Keys(folder / "auditlake-data")
    secret = keys.file.read_text().strip()
    keys.file.write_text(secret + secret)
    result = invoked(folder, "ledger", "key", "--rotate")
    assert result.returncode == 2
    assert secret not in result.stderr + result.stdout


def test_a_rotation_waits_for_who_seals(folder):
    with seal_lock(folder / "auditlake-data", "seal the WAL"), pytest.MonkeyPatch.context() as patch:
        patch.setattr("cli.commands.ledger.WAIT_SECONDS", 0.1)
        result = invoked(folder, "ledger", "key", "--rotate")
    assert result.returncode == 2
    assert "holds it" in result.stderr
