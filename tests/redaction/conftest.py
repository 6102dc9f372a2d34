"""Redactors that share one loaded Presidio where a test does not need its own."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from structlog.testing import LogCapture

from cli.configuration import cache_folder
from redaction.policy import RedactionConfig
from redaction.presidio.analyzer import Analyzer
from redaction.redactor import Redactor

KEY = b"k" * 32
CANDIDATE = r"@|\d{7}"
"""What a text must hold for a scanner process of `scanner_command` to be asked."""
CACHE = cache_folder()
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def analyzer() -> Analyzer:
    """The default policy's recognizers."""
    return Analyzer(RedactionConfig(), cache_folder=CACHE)


@pytest.fixture(scope="session")
def redactor() -> Redactor:
    """A redactor with the default policy, for `clean_now` and `lookup`; it remembers its answers, so nobody may make any up."""
    return Redactor(RedactionConfig(), pseudonym_key=KEY, cache_folder=CACHE)


@pytest.fixture
def make_redactor() -> Callable[..., Redactor]:
    """Make a redactor from options of the policy, with Presidio loaded."""

    def make(**options: object) -> Redactor:
        redactor = Redactor(RedactionConfig.model_validate(options), pseudonym_key=KEY, cache_folder=CACHE)
        redactor.clean_now([("a@example.com", None)])
        return redactor

    return make


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
            "from pathlib import Path\n"
            f"sys.path.insert(0, {str(ROOT)!r})\n"
            "from redaction import scanner\n"
            "from redaction.conditions import Condition, open_gate\n"
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
            f"    return scanner, open_gate([Condition(expressions=(({CANDIDATE!r}, 0),))], Path({str(CACHE)!r})).blob\n"
            "scanner.build = build\n"
            "scanner.main()\n"
        )
        return (sys.executable, "-c", program)

    return make
