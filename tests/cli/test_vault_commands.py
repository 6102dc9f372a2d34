"""`auditlake vault …`: an original is printed only after the access was logged, and nothing but what was asked for comes out."""

import json
import os
import pwd
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
import typer
from typer.testing import CliRunner, Result

from cli.commands import query, vault
from collector.node import node_name
from redaction.errors import VaultError
from redaction.pseudonym import load_or_create_key
from redaction.vault import Sealed, Vault, placeholder
from storage import journal
from storage.durable import FileLock
from tests.leak_scan import scan
from tests.redaction.vaults import MAIL, MASTER, OTHER, PHONE, contents

ENV = "AUDITLAKE_VAULT_KEY"
REASON_MAIL = "bob@example.com"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data directory; the master key is in the environment and the built-in configuration in force."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(ENV, MASTER.hex())
    monkeypatch.delenv("SUDO_USER", raising=False)
    yield tmp_path / "lake"
    structlog.reset_defaults()


def opened(data: Path, master: bytes = MASTER) -> Vault:
    return Vault.open(data / "vault", master, pseudonym_key=load_or_create_key(data / "keys" / "pseudonym.key"))


def sealed(data: Path, subject: str, text: str, entity: str = "EMAIL_ADDRESS") -> str:
    """Seal a value as the collector would, and return what stands in the record."""
    keeper = opened(data)
    reference = keeper.reference(subject, entity, text)
    keeper.seal([Sealed(reference=reference, subject=subject, entity=entity, text=text)])
    keeper.close()
    return placeholder(entity, reference)


def invoke(*arguments: object, stdin: str | None = None) -> Result:
    app = typer.Typer()
    vault.register(app)
    query.register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)


def access_log(data: Path) -> list[dict[str, Any]]:
    sql = "SELECT * FROM access_log ORDER BY time"
    rows: list[dict[str, Any]] = json.loads(invoke("query", sql, "--data", data, "--format", "json").stdout)
    return rows


def test_reveal_prints_the_original_and_stands_in_the_access_log(data: Path) -> None:
    """Who (the system's user, and for whom), when, what, why as the policy leaves it, with what outcome."""
    shown = sealed(data, "jane", MAIL)
    result = invoke("vault", "reveal", shown, "--reason", f"ticket 81 of {REASON_MAIL}", "--as", "Jill", "--data", data, "--format", "json")
    assert result.exit_code == 0
    row = json.loads(result.stdout)
    assert (row["text"], row["entity"], row["reference"]) == (MAIL, "EMAIL_ADDRESS", shown[-25:-1])
    (event,) = access_log(data)
    assert (event["event_name"], event["action"], event["resource"], event["outcome"]) == ("vault.reveal", "vault.reveal", shown, "success")
    assert event["actor"] == pwd.getpwuid(os.getuid()).pw_name
    assert event["attributes"]["auditlake.access.on_behalf_of"] == "Jill"
    assert event["attributes"]["auditlake.access.reason"] == "ticket 81 of <EMAIL_ADDRESS>"
    assert event["origin"].endswith("/access")
    assert scan(data, [MAIL, REASON_MAIL]) == {MAIL: [], REASON_MAIL: []}


def test_the_access_is_on_the_disk_before_the_original_is_printed(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = sealed(data, "jane", MAIL)
    before: list[bool] = []
    monkeypatch.setattr(vault, "_print", lambda *_: before.append(shown.encode() in contents(data / "wal")))
    assert invoke("vault", "reveal", shown, "--reason", "ticket 81", "--data", data).exit_code == 0
    assert before == [True]


def test_a_reveal_that_cannot_be_logged_is_refused(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = sealed(data, "jane", MAIL)
    monkeypatch.setattr(journal, "LOCK_WAIT_SECONDS", 0.05)
    origin = f"{node_name(os.uname().nodename)}/access"
    with FileLock(data / "wal" / origin / "LOCK", "hold it"):
        result = invoke("vault", "reveal", shown, "--reason", "ticket 81", "--data", data)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "nothing is revealed" in result.stderr
    assert MAIL not in result.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "--reason"),
        (["--reason", "  "], "the reason is empty"),
    ],
)
def test_reveal_needs_a_reason(data: Path, options: list[str], said: str) -> None:
    result = invoke("vault", "reveal", sealed(data, "jane", MAIL), *options, "--data", data)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


@pytest.mark.parametrize(("key", "code"), [("", "key"), ("not a key", "key"), (OTHER.hex(), "wrong_key")])
def test_reveal_needs_the_key_and_logs_the_attempt(data: Path, monkeypatch: pytest.MonkeyPatch, key: str, code: str) -> None:
    shown = sealed(data, "jane", MAIL)
    monkeypatch.setenv(ENV, key)
    result = invoke("vault", "reveal", shown, "--reason", "ticket 81", "--data", data)
    assert (result.exit_code, result.stdout) == (2, "")
    assert not key or key not in result.stderr
    (event,) = access_log(data)
    assert (event["outcome"], event["reason_code"], event["resource"]) == ("failure", code, shown)


def test_reveal_answers_no_for_what_is_not_there_any_more_or_never_was(data: Path) -> None:
    """Exit code 1; both attempts are logged."""
    shown = sealed(data, "jane", MAIL)
    opened(data).destroy("jane")
    for reference, code in ((shown, "destroyed"), ("0" * 24, "unknown")):
        result = invoke("vault", "reveal", reference, "--reason", "ticket 81", "--data", data)
        assert (result.exit_code, result.stdout) == (1, "")
        assert access_log(data)[-1]["reason_code"] == code


@pytest.mark.parametrize("reference", [MAIL, "<EMAIL_ADDRESS>", "<EMAIL_ADDRESS:v2:" + "0" * 24 + ">", "0" * 23, ""])
def test_what_is_no_reference_is_refused_and_not_repeated(data: Path, reference: str) -> None:
    """It may be the text itself, pasted by mistake."""
    sealed(data, "jane", MAIL)
    result = invoke("vault", "reveal", reference, "--reason", "ticket 81", "--data", data)
    assert result.exit_code == 2
    assert not reference or reference not in result.stderr


def test_an_original_cannot_steer_the_terminal(data: Path) -> None:
    """Escapes are shown, in the table; JSON holds any text, lone surrogates too."""
    shown = sealed(data, "jane", "a\x1b[2J\nb\ud800")
    table = invoke("vault", "reveal", shown, "--reason", "ticket 81", "--data", data)
    assert "a\\x1b[2J\\nb\\ud800" in table.stdout
    row = json.loads(invoke("vault", "reveal", shown, "--reason", "ticket 81", "--data", data, "--format", "json").stdout)
    assert row["text"] == "a\x1b[2J\nb\ud800"


@pytest.mark.parametrize("by", ["subject", "standard input", "reference"])
def test_destroy_takes_all_of_a_subject_and_nobody_elses(data: Path, by: str) -> None:
    """The log has the request before and the outcome after, and says nothing of who it was."""
    shown, kept = sealed(data, "Jane Doe 4711", MAIL), sealed(data, "bob", MAIL)
    sealed(data, "Jane Doe 4711", PHONE, "PHONE_NUMBER")
    options = {
        "subject": ["--subject", "Jane Doe 4711"],
        "standard input": ["--subject", "-"],
        "reference": ["--reference", shown],
    }
    result = invoke(
        "vault", "destroy", *options[by], "--reason", f"order of {REASON_MAIL}", "--yes", "--data", data, stdin="Jane Doe 4711\n"
    )
    assert result.exit_code == 0
    assert "2 values" in result.stdout
    keeper = opened(data)
    with pytest.raises(VaultError, match="destroyed"):
        keeper.reveal(shown[-25:-1])
    assert keeper.reveal(kept[-25:-1]).text == MAIL
    keeper.close()
    requested, done = access_log(data)
    assert [event["outcome"] for event in (requested, done)] == ["requested", "success"]
    assert done["attributes"]["auditlake.vault.destroyed"] == "2"
    assert done["resource"] == (shown if by == "reference" else "vault/subject")
    assert scan(data, ["Jane Doe", REASON_MAIL]) == {"Jane Doe": [], REASON_MAIL: []}, "the tombstone's reason is cleaned, too"
    assert b"order of <EMAIL_ADDRESS>" in contents(data / "vault")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--subject", "jane"], "--yes"),
        (["--yes"], "--subject"),
        (["--subject", "jane", "--reference", "0" * 24, "--yes"], "either"),
        (["--subject", " ", "--yes"], "empty"),
        (["--subject", "jane", "--yes", "--reason", " "], "reason"),
    ],
)
def test_destroy_refuses_what_is_unclear(data: Path, options: list[str], said: str) -> None:
    sealed(data, "jane", MAIL)
    result = invoke("vault", "destroy", "--reason", "order 81", *options, "--data", data)
    assert result.exit_code == 2
    assert said in result.stderr
    assert opened(data).destroy("jane") == 1


def test_destroying_nobody_answers_no(data: Path) -> None:
    sealed(data, "jane", MAIL)
    result = invoke("vault", "destroy", "--subject", "nobody", "--reason", "order 81", "--yes", "--data", data)
    assert (result.exit_code, result.stdout) == (1, "")
    assert [event["outcome"] for event in access_log(data)] == ["requested", "failure"]


def test_status_counts_without_a_key(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed(data, "jane", MAIL)
    sealed(data, "bob", PHONE, "PHONE_NUMBER")
    sealed(data, "eve", "eve@example.com")
    opened(data).destroy("eve", by="operator", reason="order 81")
    monkeypatch.delenv(ENV)
    (row,) = json.loads(invoke("vault", "status", "--data", data, "--format", "json").stdout)
    assert row["entities"] == {"EMAIL_ADDRESS": 1, "PHONE_NUMBER": 1}
    assert (row["values"], row["subjects"], row["destroyed_subjects"], row["destroyed_values"]) == (2, 2, 1, 1)
    table = invoke("vault", "status", "--data", data).stdout
    assert "PHONE_NUMBER" in table
    assert "subjects 2, destroyed 1 with 1 values" in table


@pytest.mark.parametrize("reencrypt", [False, True])
def test_rotate_puts_the_vault_under_a_key_that_was_made(data: Path, monkeypatch: pytest.MonkeyPatch, reencrypt: bool) -> None:
    """The whole procedure of the documentation."""
    shown = sealed(data, "jane", MAIL)
    assert invoke("vault", "key", "--file", "new.key").exit_code == 0
    options = ["--reencrypt"] if reencrypt else []
    result = invoke("vault", "rotate", "--new-key-file", "new.key", "--reason", "yearly", *options, "--data", data)
    assert result.exit_code == 0
    assert invoke("vault", "reveal", shown, "--reason", "ticket 81", "--data", data).exit_code == 2
    monkeypatch.setenv(ENV, Path("new.key").read_text())
    assert MAIL in invoke("vault", "reveal", shown, "--reason", "ticket 81", "--data", data).stdout
    assert [event["outcome"] for event in access_log(data)] == ["requested", "success", "failure", "success"]


def test_rotate_wants_one_new_key(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed(data, "jane", MAIL)
    monkeypatch.setenv("NEW", OTHER.hex())
    assert invoke("vault", "rotate", "--reason", "yearly", "--data", data).exit_code == 2
    both = ["--new-key-env", "NEW", "--new-key-file", "new.key"]
    assert invoke("vault", "rotate", "--reason", "yearly", *both, "--data", data).exit_code == 2
    assert invoke("vault", "rotate", "--reason", "yearly", "--new-key-env", "NEW", "--data", data).exit_code == 0
    opened(data, OTHER).close()


def test_keys_are_made_new_each_time() -> None:
    assert len({invoke("vault", "key").stdout for _ in range(3)}) == 3


@pytest.mark.parametrize("command", [("reveal", "0" * 24), ("destroy", "--subject", "x", "--yes"), ("rotate", "--new-key-env", ENV)])
def test_no_vault_is_no_vault(data: Path, command: tuple[str, ...]) -> None:
    """And none is made by looking."""
    result = invoke("vault", *command, "--reason", "ticket 81", "--data", data)
    assert result.exit_code == 2
    assert "no vault" in result.stderr
    assert not data.exists()


def test_errors_show_no_text_subject_or_key(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way in which a command fails, on a vault with damaged values."""
    subject = f"subject-{random.Random(7).getrandbits(64):x}"
    shown = sealed(data, subject, MAIL)
    path = data / "vault" / "vault.sqlite"
    content = bytearray(path.read_bytes())
    for attempt in range(4):
        result = [
            lambda: invoke("vault", "reveal", "1" * 24, "--reason", "r", "--data", data),
            lambda: invoke("vault", "destroy", "--subject", subject + "x", "--reason", "r", "--yes", "--data", data),
            lambda: invoke("vault", "destroy", "--reference", "1" * 24, "--reason", "r", "--yes", "--data", data),
            lambda: (path.write_bytes(b"x" * len(content)), invoke("vault", "reveal", shown, "--reason", "r", "--data", data))[1],
        ][attempt]()
        assert result.exit_code in {1, 2}
        said = f"{result.output}{result.exception!r}"
        assert [each for each in (MAIL, subject, MASTER.hex()) if each in said] == []
