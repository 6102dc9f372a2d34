"""Redactors that share one loaded Presidio where a test does not need its own."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from structlog.testing import LogCapture

from redaction.policy import RedactionConfig
from redaction.presidio.analyzer import Analyzer
from redaction.redactor import Redactor

KEY = b"k" * 32
CACHE = Path(os.environ["XDG_CACHE_HOME"]) / "auditlake"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def analyzer() -> Analyzer:
    """The default policy's recognizers."""
    return Analyzer(RedactionConfig(), cache_folder=CACHE)


@pytest.fixture(scope="session")
def redactor() -> Redactor:
    """A redactor with the default policy, for `clean_now` and `lookup`."""
    return Redactor(RedactionConfig(), pseudonym_key=KEY, cache_folder=CACHE)


@pytest.fixture
def make_redactor() -> Callable[..., Redactor]:
    """Make a redactor from options of the policy."""
    return lambda **options: Redactor(RedactionConfig.model_validate(options), pseudonym_key=KEY, cache_folder=CACHE)


@pytest.fixture
def logged() -> Iterator[LogCapture]:
    """What our own code logs during the test."""
    capture = LogCapture()
    before = structlog.get_config()
    structlog.configure(processors=[capture], cache_logger_on_first_use=False)
    yield capture
    structlog.configure(**before)


@pytest.fixture
def scanner_command() -> Callable[[str], tuple[str, ...]]:
    """Make the command of a scanner process whose detector is `body`: the method `find(self, text, context)`."""

    def make(body: str) -> tuple[str, ...]:
        program = (
            "import os, re, signal, sys, time\n"
            f"sys.path.insert(0, {str(ROOT)!r})\n"
            "from redaction import scanner\n"
            "from redaction.conditions import Condition, compiled_gate\n"
            "from redaction.findings import Finding\n"
            "from redaction.policy import RedactionConfig\n"
            "from redaction.scan import Scanner\n"
            "class Finder:\n"
            "    def find_long(self, text):\n"
            "        return ()\n"
            "    def find(self, text, context):\n"
            + "".join(f"        {line}\n" for line in body.splitlines())
            + "def build(policy, folder):\n"
            "    config = RedactionConfig.model_validate_json(policy)\n"
            "    scanner = Scanner(Finder(), timeout_seconds=config.presidio.timeout_ms / 1000)\n"
            "    return scanner, compiled_gate([Condition()])\n"
            "scanner.build = build\n"
            "scanner.main()\n"
        )
        return (sys.executable, "-c", program)

    return make
