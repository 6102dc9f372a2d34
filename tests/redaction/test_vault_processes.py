"""Several processes share a vault, and any of them may die at any point."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from redaction.errors import VaultError
from redaction.vault_status import read_status
from tests import on_disk
from tests.redaction.vaults import MAIL, contents, open_vault, seal, stored_secrets, subject_of

tmp_path_factory = on_disk.tmp_path_factory
ROOT = Path(__file__).parents[2]
DIE = "os.kill(os.getpid(), signal.SIGKILL)"
HEAD = """
import os, signal, sys
from pathlib import Path
from redaction import vault as module
from redaction.vault import Sealed
from redaction.vault_store import VaultStore
from tests.redaction.vaults import MAIL, open_vault, seal
data = Path(sys.argv[1])
"""


def run(program: str, data: Path) -> subprocess.Popen[str]:
    """Start a process with the names of HEAD."""
    return subprocess.Popen([sys.executable, "-c", HEAD + program, str(data)], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def died(program: str, data: Path) -> None:
    """Run a process that kills itself."""
    process = run(program, data)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL


def test_processes_that_start_and_seal_at_once_lose_nothing(tmp_path: Path) -> None:
    """Each makes the vault if it is the first; all get the same root key, and every value is there."""
    program = """
vault = open_vault(data)
for number in range(40):
    print(seal(vault, f"subject {number % 7}", f"value {number}", "PERSON"))
"""
    processes = [run(program, tmp_path) for _ in range(3)]
    found = [process.communicate(timeout=120)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    vault = open_vault(tmp_path)
    for names in found:
        assert [vault.reveal(reference).text for reference in names] == [f"value {number}" for number in range(40)]
    assert read_status(tmp_path / "vault").subjects == 7


def test_what_was_sealed_survives_kill_9(tmp_path: Path) -> None:
    """A reference is printed when `seal` has returned; whatever was printed before the kill is revealed after it."""
    program = """
vault = open_vault(data)
for number in range(100_000):
    print(seal(vault, f"subject {number}", f"value {number}", "PERSON"), flush=True)
"""
    process = run(program, tmp_path)
    assert process.stdout is not None
    names = [process.stdout.readline().strip() for _ in range(50)]
    os.kill(process.pid, signal.SIGKILL)
    names += process.communicate(timeout=60)[0].split("\n")[:-1]
    vault = open_vault(tmp_path)
    assert [vault.reveal(reference).text for reference in names] == [f"value {number}" for number in range(len(names))]


def test_a_seal_that_was_killed_inside_leaves_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    kept = seal(open_vault(tmp_path), "bob", "bob@example.com")
    died(
        f"""
vault = open_vault(data)
rows = []
def dies(*arguments):
    rows.append(1)
    if len(rows) == 3:
        {DIE}
    return real(*arguments)
real, module._sealed_row = module._sealed_row, dies
def value(text):
    return Sealed(reference=vault.reference("jane", "PERSON", text), subject="jane", entity="PERSON", text=text)
vault.seal([value(f"v{{number}}") for number in range(5)])
""",
        tmp_path,
    )
    assert read_status(tmp_path / "vault").as_row()["subjects"] == 1
    vault = open_vault(tmp_path)
    assert vault.reveal(kept).text == "bob@example.com"
    assert vault.reveal(seal(vault, "jane", "v0", "PERSON")).text == "v0"


@pytest.mark.parametrize(
    ("place", "dies"),
    [
        ("before the commit", f"module.insert = lambda table: {DIE}"),
        ("after the commit", f"VaultStore.wipe = lambda self: {DIE}"),
        ("before the rewrite", f"VaultStore._rewrite = lambda self: {DIE}"),
        ("after the rewrite", f"real = VaultStore._rewrite; VaultStore._rewrite = lambda self: (real(self), {DIE})"),
    ],
)
def test_destroying_that_was_killed_is_finished_or_did_not_happen(tmp_path: Path, place: str, dies: str) -> None:
    """Before the commit the values are all there; after it whoever opens the vault next wipes what is left."""
    vault = open_vault(tmp_path)
    reference, kept = seal(vault, "jane", MAIL), seal(vault, "bob", "bob@example.com")
    secrets = stored_secrets(tmp_path)[subject_of(tmp_path, reference)]
    vault.close()
    died(f"vault = open_vault(data)\n{dies}\nvault.destroy('jane')\n", tmp_path)
    vault = open_vault(tmp_path)
    assert vault.reveal(kept).text == "bob@example.com"
    if place == "before the commit":
        assert vault.reveal(reference).text == MAIL
        return
    assert read_status(tmp_path / "vault").as_row()["destroyed_values"] == 1
    assert not read_status(tmp_path / "vault").unfinished
    assert [secret for secret in secrets if secret in contents(tmp_path)] == []
    with pytest.raises(VaultError, match="destroyed"):
        vault.reveal(reference)


def test_a_rotation_that_was_killed_leaves_the_old_key_in_force(tmp_path: Path) -> None:
    """All of it is one transaction, however many values are encrypted anew."""
    reference = seal(open_vault(tmp_path), "jane", MAIL)
    died(f"vault = open_vault(data)\nmodule._reencrypt = lambda *_: {DIE}\nvault.rotate(b'n' * 32, reencrypt=True)\n", tmp_path)
    assert open_vault(tmp_path).reveal(reference).text == MAIL
