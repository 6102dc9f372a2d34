"""Every credential rule, with what it must find and what it must leave."""

import base64
import random
import string

import pytest

from redaction.presidio import Analyzer
from redaction.secrets import RULES

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
    ("JWT", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U", "jwt={}"),
    ("BEARER_TOKEN", "4f9a8b7c6d5e4f3a2b1c0d9e", "Authorization: Bearer {}"),
]

LEFT = [
    "sk-learn is a python package and sk-cube-grid-loading-indicator a class",
    "the task-proj-planning-document-2024-final is done",
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


def test_every_rule_has_examples() -> None:
    """A rule without an example that finds it is not a rule."""
    assert {rule.entity for rule in RULES} == {entity for entity, _, _ in FOUND}


def test_a_private_key_longer_than_a_chunk_is_found_whole(redactor: object) -> None:
    """Keys are looked for in the whole text, not in chunks of it."""
    body = "\n".join(base64.b64encode(RANDOM.randbytes(48)).decode() for _ in range(200))
    text = f"{'word ' * 500}-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----{' word' * 500}"
    cleaned = redactor.clean_now([(text, None)])[0]  # type: ignore[attr-defined]
    assert cleaned.text == f"{'word ' * 500}<PRIVATE_KEY>{' word' * 500}"


def test_the_attribute_key_is_context(analyzer: Analyzer) -> None:
    """A bare secret under a key that says what it is."""
    assert analyzer.find(AWS_SECRET, ()) == ()
    assert [each.entity for each in analyzer.find(AWS_SECRET, ("aws", "secret"))] == ["AWS_SECRET_ACCESS_KEY"]
