"""docs/vault.md: every command that it shows works, in its order."""

import os
import re
import subprocess
import sys
from pathlib import Path

from redaction.pseudonym import load_or_create_key
from redaction.vault import Sealed, Vault, placeholder
from redaction.vault_keys import parsed_key
from tests.redaction.vaults import MAIL

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "vault.md"


def test_the_commands_of_the_page_work(tmp_path: Path) -> None:
    """The key is made by the page's own first command; then a value is sealed as the collector would."""
    first, then, rotation = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "auditlake").write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m cli "$@"\n')
    (tmp_path / "auditlake").chmod(0o755)
    environ = {name: text for name, text in os.environ.items() if name not in {"AUDITLAKE_VAULT_KEY", "SUDO_USER"}}
    environ["PATH"] = f"{tmp_path}:{environ['PATH']}"

    def run(script: str, **more: str) -> str:
        command = ["/bin/sh", "-eu", "-c", script]
        done = subprocess.run(command, cwd=tmp_path, env=environ | more, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    make, export, status = first.splitlines()
    run(make)
    key = (tmp_path / "vault.key").read_text().strip()
    data = tmp_path / "auditlake-data"
    vault = Vault.open(data / "vault", parsed_key(key, "page"), pseudonym_key=load_or_create_key(data / "keys" / "pseudonym.key"))
    names = [vault.reference(subject, "EMAIL_ADDRESS", MAIL) for subject in ("jane", "bob")]
    sealed = [
        Sealed(reference=name, subject=who, entity="EMAIL_ADDRESS", text=MAIL) for name, who in zip(names, ("jane", "bob"), strict=True)
    ]
    vault.seal(sealed)
    vault.close()
    assert "EMAIL_ADDRESS" in run(f"{export}\n{status}")
    said = run(f"{export}\n{then}", REFERENCE=placeholder("EMAIL_ADDRESS", names[0]), SUBJECT="jane")
    assert MAIL in said
    assert "destroyed: 1 value" in said
    assert "erasure order 12" in said
    assert "rotated" in run(f"{export}\n{rotation}")
