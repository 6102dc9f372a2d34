"""Every credential rule, with what it must find and what it must leave."""

import base64
import json
import random
import string
import time
from collections.abc import Callable

import pytest

from redaction.findings import merged
from redaction.presidio.analyzer import Analyzer
from redaction.redactor import Redactor
from redaction.secrets import key_tails

RANDOM = random.Random(7)


def _random(alphabet: str, length: int) -> str:
    return "".join(RANDOM.choice(alphabet) for _ in range(length))


WORD = string.ascii_letters + string.digits
AWS_ID = "AKIA" + _random(string.ascii_uppercase + "234567", 16)
AWS_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKE"
PEM_BODY = "\n".join(base64.b64encode(RANDOM.randbytes(48)).decode() for _ in range(20))
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{PEM_BODY}\n-----END RSA PRIVATE KEY-----"
ESCAPED_PEM = PEM.replace("\n", "\\n")

FOUND = [
    ("ANTHROPIC_API_KEY", "sk-ant-api03-" + _random(WORD + "-_", 86) + "-AA", "key: {}"),
    ("ANTHROPIC_API_KEY", "sk-ant-admin01-" + _random(WORD, 40), "ANTHROPIC_API_KEY={}"),
    ("OPENAI_API_KEY", "sk-proj-" + _random(WORD + "-_", 60) + "T3BlbkFJ9" + _random(WORD, 60), "use {} please"),
    ("OPENAI_API_KEY", "sk-" + _random(WORD, 48) + "1", "{}"),
    ("OPENAI_API_KEY", "sk-demo-4f9a8b7c6d5e4f3a", "key {}"),
    ("OPENAI_API_KEY", "sk-svcacct-" + _random(WORD, 50) + "7", '"{}"'),
    ("AWS_ACCESS_KEY_ID", AWS_ID, "id {}."),
    ("AWS_ACCESS_KEY_ID", AWS_ID.replace("AKIA", "ASIA"), "AWS_ACCESS_KEY_ID={}"),
    ("AWS_SECRET_ACCESS_KEY", AWS_SECRET, "aws_secret_access_key = {}"),
    ("AWS_SECRET_ACCESS_KEY", AWS_SECRET, "AWS_SECRET_ACCESS_KEY={}"),
    ("AWS_SECRET_ACCESS_KEY", AWS_SECRET, AWS_ID + " {}"),
    ("GITHUB_TOKEN", "ghp_" + _random(WORD, 36), "token {}"),
    ("GITHUB_TOKEN", "gho_" + _random(WORD, 36), "https://{}@github.com/acme/app.git"),
    ("GITHUB_TOKEN", "ghs_" + _random(WORD, 36), "GITHUB_TOKEN={}"),
    ("GITHUB_TOKEN", "github_pat_" + _random(WORD, 22) + "_" + _random(WORD, 59), "{}"),
    ("PRIVATE_KEY", PEM, "before\n{}\nafter"),
    ("PRIVATE_KEY", PEM.replace("RSA ", ""), "{}"),
    ("PRIVATE_KEY", PEM.replace("RSA", "OPENSSH"), "key: {}"),
    ("PRIVATE_KEY", ESCAPED_PEM, "prefix {} suffix"),
    ("PRIVATE_KEY", PEM[:400], "{}"),
    ("PRIVATE_KEY", ESCAPED_PEM[:400], "cut off: {}"),
    ("PRIVATE_KEY", PEM.replace("KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", 1)[:500], "{}"),
    ("JWT", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U", "jwt={}"),
    ("OPENAI_API_KEY", "sk-proj-Zq8Kx2Lm5Np7Rt9Vw1Yb3Dc6Fg4Hj0", "keyx{}"),
    ("OPENAI_API_KEY", "sk-proj-ZqXKxJLmANpORtUVwYbLDcPFgQHjW", "{}"),
    ("OPENAI_API_KEY", "sk-test-4f9a8b7c6d5e4f3a2b1c", "x{}"),
    ("ANTHROPIC_API_KEY", "sk-ant-api03-Zq8Kx2Lm5Np7Rt9Vw1Yb3Dc6Fg4Hj0", "key{}"),
    ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE", "id{}"),
    ("AWS_ACCESS_KEY_ID", "ABIAIOSFODNN7EXAMPLE", "key_{}_x"),
    ("GITHUB_TOKEN", "ghp_" + _random(WORD, 36), "x{}"),
    ("GITHUB_TOKEN", "github_pat_" + _random(WORD, 40), "x{}"),
    ("PRIVATE_KEY", PEM[300:].split("\n", 1)[1], "tail:\n{}\nafter"),
    ("BEARER_TOKEN", "4f9a8b7c6d5e4f3a2b1c0d9e", "Authorization: Bearer {}"),
]

LEFT = [
    "sk-learn is a python package and sk-cube-grid-loading-indicator a class",
    "the task-proj-planning-document-2024-final is done",
    "risk-ant-colony-optimization-2024 and the disk-test-bench-results-2024-final-report",
    "SLOVAKIAINTERNATIONALTRADEFAIR EURASIAINTERNATIONALFINANCE",
    "the end\n-----END PRIVATE KEY-----",
    "AKIA is a prefix; AKIATOOSHORT1 is not a key",
    "commit 2fd4e1c67a2d28fced849ee1bb76e7391b93eb12 in aws",
    "secret sauce: " + "a" * 40,
    "ghp_short and ghx_" + "a" * 36,
    "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----",
    "-----BEGIN CERTIFICATE-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END CERTIFICATE-----",
    "eyJhbGciOiJIUzI1NiJ9 alone is only a header",
    "the bearer of this letter is welcome, bearer instruments are risky",
]


@pytest.mark.parametrize(("entity", "secret", "around"), FOUND)
def test_credentials_are_found_whole(analyzer: Analyzer, entity: str, secret: str, around: str) -> None:
    """The finding covers the whole credential, wherever it stands, and nothing of what surrounds it."""
    text = around.format(secret)
    start = text.index(secret)
    spans = {(each.start, each.end) for each in analyzer.find(text, ()) if each.entity == entity}
    assert spans == {(start, start + len(secret))}


@pytest.mark.parametrize("text", LEFT)
def test_lookalikes_are_left(analyzer: Analyzer, text: str) -> None:
    """Package names, digests and public keys are no secrets."""
    assert analyzer.find(text, ()) == ()


def test_a_private_key_longer_than_a_chunk_is_found_whole(redactor: Redactor) -> None:
    """Keys are looked for in the whole text, not in chunks of it."""
    body = "\n".join(base64.b64encode(RANDOM.randbytes(48)).decode() for _ in range(200))
    text = f"{'word ' * 500}-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----{' word' * 500}"
    cleaned = redactor.clean_now([(text, None)])[0]
    assert cleaned.text == f"{'word ' * 500}<PRIVATE_KEY>{' word' * 500}"


def test_the_attribute_key_is_context(analyzer: Analyzer) -> None:
    """A bare secret under a key that says what it is."""
    assert analyzer.find(AWS_SECRET, ()) == ()
    assert [each.entity for each in merged(analyzer.find(AWS_SECRET, ("aws", "secret")))] == ["AWS_SECRET_ACCESS_KEY"]


def test_long_tokens_in_long_texts_are_found_whole(redactor: Redactor) -> None:
    """Wherever the chunks are cut."""
    claims = base64.urlsafe_b64encode(json.dumps({"roles": _random(WORD, 2400)}).encode()).decode().rstrip("=")
    jwt = f"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.{claims}.{_random(WORD, 340)}"
    bearer = ".".join(_random(WORD, 700) for _ in range(3)) + "1"
    for before in (3100, 3500, 3900):
        text = f"{'word ' * (before // 5)}token={jwt}{' end' * 2000}"
        assert redactor.clean_now([(text, None)])[0].text == text.replace(jwt, "<JWT>")
        text = f"{'word ' * (before // 5)}Authorization: Bearer {bearer}{' end' * 2000}"
        assert redactor.clean_now([(text, None)])[0].text == text.replace(bearer, "<BEARER_TOKEN>")


@pytest.mark.parametrize(
    "wrap", [lambda lines: lines, lambda lines: {"lines": lines}, lambda lines: ["cat key.pem", *lines, "done, thanks"]]
)
def test_a_private_key_spread_over_a_list_is_taken_out(redactor: Redactor, wrap: Callable[[list[str]], object]) -> None:
    """Each line is an item; what comes after the end is left, and lines without the beginning go too."""
    lines = PEM.split("\n")
    for part in (lines, lines[:9], lines[7:]):
        text = json.dumps(wrap(part))
        cleaned = redactor.clean_now([(text, None)])[0].text
        assert not [line for line in part[1:-1] if line in cleaned]
        assert ("done, thanks" in text) == ("done, thanks" in cleaned)
        assert len(json.loads(cleaned)) == len(json.loads(text))


def test_the_rest_of_a_private_key_is_found_behind_escapes(redactor: Redactor) -> None:
    """A log that was cut at its beginning."""
    text = f'tail: "{ESCAPED_PEM[300:].split("n", 1)[1]}"'
    assert redactor.clean_now([(text, None)])[0].text == 'tail: "<PRIVATE_KEY>"'


def test_lists_without_keys_are_left(redactor: Redactor) -> None:
    """Base64 by itself is no key."""
    text = json.dumps(
        ["some", "lines", *PEM_BODY.split("\n"), "-----BEGIN PUBLIC KEY-----", "MIIBIjANBgkqhkiG9w0BAQEF", "-----END PUBLIC KEY-----"]
    )
    assert redactor.clean_now([(text, None)])[0].text == text


@pytest.mark.parametrize(
    "document",
    [
        {"name": "AWS_SECRET_ACCESS_KEY", "value": AWS_SECRET},
        {"value": AWS_SECRET, "name": "AWS_SECRET_ACCESS_KEY"},
        {"env": [{"key": "DB_PASSWORD", "value": AWS_SECRET}]},
        {"Key": "client.secret", "Value": {"stringValue": AWS_SECRET}},
    ],
)
def test_a_name_beside_a_value_counts_as_its_key(redactor: Redactor, document: object) -> None:
    """Environments and headers are written as lists of pairs."""
    assert AWS_SECRET not in redactor.clean_now([(json.dumps(document), None)])[0].text
    assert AWS_SECRET[:30] not in redactor.clean_now([(json.dumps(document)[:-5], None)])[0].text


def test_a_name_that_means_nothing_changes_nothing(redactor: Redactor) -> None:
    """A pair is scanned like any other."""
    text = json.dumps(
        [{"name": "region", "value": "eu-west-1"}, {"name": "count", "value": 12345678}, {"name": "get secret of life", "x": 1}]
    )
    assert redactor.clean_now([(text, None)])[0].text == text


def test_finding_tails_is_linear() -> None:
    """A megabyte of base64 lines, or of ends without lines."""
    begun = time.thread_time()
    assert len(list(key_tails((PEM_BODY + "\n") * 800 + "-----END PRIVATE KEY-----"))) == 1
    assert list(key_tails("-----END PRIVATE KEY-----" * 40_000)) == []
    assert time.thread_time() - begun < 3


BEFORE_AND_BEHIND = [
    ("> ", ""),
    ("", "<br>"),
    ("  {number} | ", ""),
    ("2026-01-01T10:00:00Z INFO ", ""),
    ('"', '",'),
    ('"', '\\n" +'),
    ("{number}: ", ""),
    ("+", ""),
]


@pytest.mark.parametrize(("before", "behind"), BEFORE_AND_BEHIND)
def test_lines_of_a_private_key_with_something_around_them_go(redactor: Redactor, before: str, behind: str) -> None:
    """Quoted mail, listings, logs, pages and code; whole, and cut off at either end. What else stands there is left."""
    lines = ["see here", *PEM.split("\n"), "and so on"]
    written = [f"{before.format(number=number + 10)}{line}{behind}" for number, line in enumerate(lines)]
    whole, no_end, no_beginning = written, written[:12] + written[-1:], written[:1] + written[8:]
    for part in (whole, no_end, no_beginning):
        text = "\n".join(part)
        cleaned = redactor.clean_now([(text, None)])[0].text
        assert not [line for line in PEM.split("\n")[1:-1] if line in cleaned]
        assert "see here" in cleaned
        assert "and so on" in cleaned


def test_a_cut_off_last_line_goes_too(redactor: Redactor) -> None:
    """Half a line is half a line of the key."""
    text = "\n".join(f"> {line}" for line in [*PEM.split("\n")[:6], PEM.split("\n")[6][:21], "Thanks", "Jane"])
    assert redactor.clean_now([(text, None)])[0].text == "> <PRIVATE_KEY>\n> Thanks\n> Jane"
