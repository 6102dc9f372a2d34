"""The command line in this process, for tests of commands that start nothing: a process of its own costs a second of processor time."""

import contextlib
import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import structlog
import typer

from cli.main import application, main


def invoked(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `auditlake` with these words in a folder; what it prints, and its exit code."""
    output, errors, code = io.StringIO(), io.StringIO(), 0
    with contextlib.chdir(folder), redirect_stdout(output), redirect_stderr(errors), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["auditlake", *words])
        patch.setattr("cli.main.application", _commands)
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            structlog.reset_defaults()
    return subprocess.CompletedProcess(words, code, output.getvalue(), errors.getvalue())


@cache
def _commands() -> Any:
    """All commands, made once: they keep nothing from one run to the next."""
    return typer.main.get_command(application())
