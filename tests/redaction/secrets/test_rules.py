"""Every rule finds what it is for, whole and nothing beside it, and leaves what only looks like it."""

import random
import time
import zlib

import pytest
import regex

from redaction.context import context
from redaction.findings import merged
from redaction.presidio.analyzer import Analyzer
from redaction.secrets import RULES, SecretRule
from redaction.secrets.checks import github_checksum
from tests.redaction.secrets import samples_forms, samples_shell, samples_vendors
from tests.redaction.secrets.samples import filled, marked

EXAMPLES = {**samples_vendors.EXAMPLES, **samples_forms.EXAMPLES, **samples_shell.EXAMPLES}
COMPILED = {rule.name: regex.compile(rule.expression) for rule in RULES}
BY_NAME = {rule.name: rule for rule in RULES}
NAMES = [rule.name for rule in RULES]
SEED = 11


def _spans(rule: SecretRule, text: str) -> list[tuple[int, int]]:
    near = context(rule.context)
    return [
        match.span()
        for match in COMPILED[rule.name].finditer(text)
        if (rule.accept is None or rule.accept(match.group()))
        and (not rule.context or near.near(text, match.start(), EXAMPLES[rule.name].key))
    ]


def test_every_rule_has_examples_of_both_kinds() -> None:
    """A rule without an example that it finds, and one that it leaves, is not a rule."""
    assert set(EXAMPLES) == set(NAMES)
    assert len(NAMES) == len(set(NAMES))
    assert [name for name, examples in EXAMPLES.items() if not examples.found or not examples.left] == []


@pytest.mark.parametrize("name", NAMES)
def test_what_a_rule_finds(name: str) -> None:
    """The whole of the credential, and every text with a match has the rule's shape."""
    for seed in range(SEED, SEED + 4):
        rng = random.Random(seed)
        for pattern in EXAMPLES[name].found:
            text, spans = marked(filled(pattern, rng))
            assert _spans(BY_NAME[name], text) == spans, text
            assert regex.search(BY_NAME[name].shape, text), text


@pytest.mark.parametrize("name", NAMES)
def test_what_a_rule_leaves(name: str) -> None:
    """Names, placeholders, digests and ids."""
    for seed in range(SEED, SEED + 4):
        rng = random.Random(seed)
        for pattern in EXAMPLES[name].left:
            text = filled(pattern, rng)
            assert _spans(BY_NAME[name], text) == [], text


@pytest.mark.parametrize("name", NAMES)
def test_the_name_that_wins_is_the_kind(name: str, analyzer: Analyzer) -> None:
    """Among all recognizers together, the credential goes whole, under its own name, and nothing beside it."""
    rng = random.Random(SEED)
    for pattern in EXAMPLES[name].found:
        text, spans = marked(filled(pattern, rng))
        clusters = {(each.start, each.end): each.entity for each in merged(analyzer.find(text, EXAMPLES[name].key))}
        assert {span: clusters.get(span) for span in spans} == dict.fromkeys(spans, BY_NAME[name].entity), (text, clusters)


def test_github_checksums() -> None:
    """CRC-32 of what stands before the last six characters, in base 62."""
    body = "0123456789abcdefABCDEFabcdef01"
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    value, suffix = zlib.crc32(body.encode()), ""
    for _ in range(6):
        value, digit = divmod(value, 62)
        suffix = digits[digit] + suffix
    assert github_checksum(f"ghx_{body}{suffix}")
    assert not github_checksum(f"ghx_{body}{suffix[::-1]}")
    assert _spans(BY_NAME["GitHub token of a kind to come"], f"ghx_{body}{suffix}")


REPEATED = ("{}a", "{}aB3", "{}1", "{}\"'`\\", "{} \t:=", "{} ", '{}= "', "{}&sv=1&", "{}.aB3", "{}://a:", "{}{{", "{}\n", "{}=")
LONG_CHARS = 100_000


@pytest.mark.parametrize("name", NAMES)
def test_no_rule_is_catastrophic(name: str) -> None:
    """A hundred thousand characters made of what the rule looks for, or of what may follow it, cost bounded time."""
    text, spans = marked(filled(EXAMPLES[name].found[0], random.Random(SEED)))
    start = spans[0][0]
    head = text[max(0, start - 24) : start + 12]
    each = LONG_CHARS // len(REPEATED)
    texts = [
        "".join(repeated.format(head) * (each // len(repeated.format(head))) for repeated in REPEATED),
        "".join(head + repeated.format("") * (each // len(repeated.format("x"))) for repeated in REPEATED),
    ]
    begun = time.thread_time()
    for adversarial in texts:
        for _ in COMPILED[name].finditer(adversarial, timeout=20):
            pass
    assert time.thread_time() - begun < 5
