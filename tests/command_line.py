"""The command line in this process, for tests of commands that start nothing: a process of its own costs a second of processor time."""

import contextlib
import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import structlog

from cli.main import main


def invoked(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `auditlake` with these words in a folder; what it prints, and its exit code."""
    output, errors, code = io.StringIO(), io.StringIO(), 0
    with contextlib.chdir(folder), redirect_stdout(output), redirect_stderr(errors), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["auditlake", *words])
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            structlog.reset_defaults()
    return subprocess.CompletedProcess(words, code, output.getvalue(), errors.getvalue())
