"""No input text in logs, errors or output, whatever goes wrong: canaries through every error path of the package."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence

import pytest
from structlog.testing import LogCapture

from cli.configuration import cache_folder
from redaction import structure
from redaction.findings import Findings
from redaction.policy import RedactionConfig
from redaction.presidio.analyzer import Analyzer
from redaction.redactor import Redactor
from redaction.scan import Scanner
from redaction.worker import ScannerPool

KEY = b"k" * 32
MAIL, CARD, IBAN, TOKEN = "canary.jay@example.com", "4012888888881881", "GB82WEST12345698765432", "ghp_" + "cAnArY12" * 5
CANARIES = (MAIL, CARD, IBAN, TOKEN, "canary", "cAnArY")
TEXT = f"{MAIL} {CARD} {IBAN} {TOKEN}"


@pytest.fixture
def everything_said(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], logged: LogCapture) -> Iterator[Callable[[], str]]:
    """All that was logged (down to debug) or printed so far."""
    caplog.set_level(logging.DEBUG)

    def said() -> str:
        return str([logged.entries, [(record.getMessage(), record.args, record.exc_text) for record in caplog.records], capfd.readouterr()])

    yield said
    assert not [canary for canary in CANARIES if canary in said()]


class Raises:
    """A detector that fails the way recognizers do: with the text in its message."""

    def __init__(self, error: type[BaseException]) -> None:
        self._error = error

    def find(self, text: str, context: Sequence[str]) -> Findings:
        raise self._error(f"did not find word {text} {context}")

    def find_long(self, text: str) -> Findings:
        raise self._error(text)


@pytest.mark.parametrize("error", [ValueError, KeyError, RecursionError, MemoryError, UnicodeError, TimeoutError])
@pytest.mark.parametrize("text", [TEXT, TEXT * 200])
def test_a_failing_recognizer_says_nothing(everything_said: Callable[[], str], error: type[Exception], text: str) -> None:
    """The verdict is a reason."""
    assert Scanner(Raises(error), timeout_seconds=1).verdict(text, ("canary",)) == "error"
    assert "canary" not in everything_said()


def test_detection_says_nothing(everything_said: Callable[[], str]) -> None:
    """Presidio, tldextract and phonenumbers at debug level, on what they find, reject and validate."""
    scanner = Scanner(Analyzer(RedactionConfig(), cache_folder=cache_folder()), timeout_seconds=5)
    for text in (TEXT, TEXT.replace(" ", ""), f"account {IBAN[:-1]}ß", f"{MAIL}.notatld", f"+1{CARD}", TEXT.replace("@", "\\u0040")):
        assert not isinstance(scanner.verdict(text, ("account", "phone")), str)
    assert "canary" not in everything_said()


def test_a_broken_walk_withholds_and_says_only_its_type(everything_said: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of our own, too, must not let a text through or into a log."""

    def broken(text: str) -> None:
        raise ValueError(text)

    monkeypatch.setattr(structure, "walk", broken)
    redactor = Redactor(RedactionConfig(), pseudonym_key=KEY)
    results = redactor.clean_now([(TEXT, None), ("fine", "password")])
    assert [each.text for each in results] == ["<WITHHELD:error>", "<BLOCKED_KEY>"]
    said = everything_said()
    assert "ValueError" in said
    assert "canary" not in said


@pytest.mark.parametrize(
    "body", ["raise ValueError(text)", "os.kill(os.getpid(), 9)", "sys.stdout.write(text)\nsys.exit(text)", "os.write(answers, b'x' * 100)"]
)
def test_a_failing_scanner_process_says_nothing(
    everything_said: Callable[[], str], scanner_command: Callable[[str], Sequence[str]], body: str
) -> None:
    """Neither through its pipes nor through ours."""
    config = RedactionConfig.model_validate({"presidio": {"timeout_ms": 100}})

    async def run() -> list[str]:
        redactor = Redactor(config, pseudonym_key=KEY, scanners=ScannerPool(config, command=scanner_command(body)))
        results = await redactor.clean([(TEXT, "k"), (f'{{"a": "{TEXT}"}}', "k")])
        await redactor.close()
        return [each.text for each in results]

    assert [text.replace("worker", "error") for text in asyncio.run(run())] == [
        "<WITHHELD:error>",
        '{"<WITHHELD:error>": "<WITHHELD:error>"}',  # without a scanner nobody can tell that the key is harmless
    ]
    assert "withheld" in everything_said()


def test_withheld_leaves_do_not_put_their_neighbours_into_the_log(
    everything_said: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short result with a withheld leaf also holds clean text, which is nobody's business either."""
    redactor = Redactor(RedactionConfig(), pseudonym_key=KEY, cache_folder=cache_folder())
    redactor.clean_now([("a@example.com", None)])
    monkeypatch.setattr(redactor, "_local", Scanner(Raises(ValueError), timeout_seconds=1))
    (result,) = redactor.clean_now([(f'["canary", "{CARD}"]', None)])
    assert result.text == '["canary", "<WITHHELD:error>"]'
    assert "withheld" in everything_said()


def test_reprs_and_errors_hold_no_key() -> None:
    """The pseudonym key is in no representation of the redactor."""
    assert "kkkk" not in repr(Redactor(RedactionConfig(), pseudonym_key=KEY))
