"""The fast path finds what stock Presidio finds: the same recognizers, threshold and context, each asked about every text.

The long version of the first test, over texts of many kinds, is `make soak`.
"""

import os
import string
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import LogCapture

from benchmarks.soak.samples import samples
from benchmarks.stock import Stock, places
from benchmarks.texts import Texts
from redaction import conditions, database
from redaction.conditions import Condition, compiled_gate, open_gate
from redaction.policy import RedactionConfig
from redaction.prefilter import Gate, Prefilter
from redaction.presidio.analyzer import Analyzer
from redaction.presidio.detectors import detectors
from redaction.redactor import Redactor
from redaction.secrets import RULES, SecretRule
from redaction.shapes import apart, quick
from tests.redaction.conftest import CACHE

CONTEXTS = [(), ("account",), ("driver", "license"), ("passport",), ("phone",), ("ssn",), ("aws", "secret"), ("dl",), ("medical",)]
PIECES = st.sampled_from([
    "jane@example.com", "4111 1111", "1111-1111", "(415) ", "555-0132", "٤١٥", "４１１１", "\u00a0", "\u200b", "GB82 WEST 1234",
    "5698 7654 32", "912-70", "-1234", "536 22 8726", "D1234567", "driver license ", "account ", "AB", "1234563", "sk-", "sk-ant-",
    "ghp_", "AKIA", "bc1", "-----BEGIN PRIVATE KEY-----", "eyJhbGciOiJI", ".", "bearer ", "Bearer\t", "\\u0040", "%40", "\\n", "K",
    "ſ", "1", "3", " ", "-", "\n", "+", "İ", "ı", "\u0301", "e\u0301", "𑵐", "²", "\u180e", "\ufe0f", "\u202e", "\ud800", "@", "@x.",
    "password=", "api_key: ", "token ", "https://", ":pw@", "?sig=",
])  # fmt: skip
TEXTS = st.lists(PIECES | st.text(string.ascii_letters + string.digits, max_size=24) | st.text(max_size=6), max_size=8).map("".join)


@pytest.fixture(scope="session")
def stock() -> Stock:
    """The oracle."""
    return Stock(RedactionConfig())


@settings(max_examples=300, deadline=None)
@given(text=TEXTS, context=st.sampled_from(CONTEXTS))
def test_the_fast_path_finds_what_stock_presidio_finds(analyzer: Analyzer, stock: Stock, text: str, context: tuple[str, ...]) -> None:
    """Same places, entities and scores, whatever the text."""
    assert places(analyzer.find(text, context)) == places(stock.find(text, context))


@pytest.mark.parametrize("text", ["The order was shipped yesterday.", "step 12 of 30 took 0.25 s", "2024-08-06T12:33:45Z INFO ready"])
def test_ordinary_texts_have_no_candidates(analyzer: Analyzer, text: str) -> None:
    """The point of it."""
    assert analyzer.gate.candidates(text, ()) == 0


def test_no_recognizer_of_the_default_policy_looks_at_every_text(analyzer: Analyzer) -> None:
    """One that did would send every text to the scanner."""
    looking = [each.recognizer.name for index, each in enumerate(analyzer.detectors) if analyzer.gate.candidates("", ()) >> index & 1]
    assert looking == []


def test_a_candidate_is_one_recognizer_not_all(analyzer: Analyzer) -> None:
    """An address is looked at by the recognizer of addresses."""
    mask = analyzer.gate.candidates("write to jane@example.com", ())
    chosen = [each.recognizer.name for index, each in enumerate(analyzer.detectors) if mask >> index & 1]
    assert chosen == ["EmailRecognizer"]


@pytest.mark.parametrize("text", [r"jane\u0040example.com", "jane%40example.com", r"\u0034111111111111111"])
def test_escapes_hide_nothing(analyzer: Analyzer, text: str) -> None:
    """Candidates are also looked for in what an escaped text stands for."""
    known = Prefilter()
    known.load(analyzer.gate.blob)
    assert known.may_match(text, ())


def test_before_a_scanner_is_ready_every_text_may_match() -> None:
    """Nothing passes unscanned because the gate is not there yet."""
    assert Prefilter().may_match("nothing", ())
    assert Prefilter().may_match_identifier("nothing")


@pytest.mark.parametrize(
    "expression",
    [
        r"\p{Lu}+x", "é+1", r"(?:foo){e<=1}", r"(?r)foo", r"(?<=ab{1,3})c", r"a{,3}b", r"(?x) a b # c", r"(?P<a>x)(?P=a)", r"\mfoo\M",
        r"[^\W\d_]{3}", r"(?i)strasse", r"(?b)foo",
    ],
)  # fmt: skip
def test_expressions_of_the_policy_lose_no_match(expression: str, tmp_path: Path) -> None:
    """Whatever the `regex` module reads: either Hyperscan finds a superset, or the condition holds for every text."""
    gate = open_gate([Condition(expressions=((expression, 0),))], tmp_path)
    for text in ("ÀÉx", "é1", "fo0", "foo", "abbbc", "aaab", "b", "ab", "xx", "a foo b", "äöü", "STRASSE", "ſtrasse", "oof", "e\u0301Éx"):
        if regex.search(expression, text):
            assert gate.candidates(text, ()), text


def test_one_expression_that_hyperscan_refuses_leaves_the_others_quick() -> None:
    """Only its own condition holds for every text."""
    gate = Gate(compiled_gate([Condition(expressions=(("a{1,40000}", 0),)), Condition(expressions=(("abc", 0),))]))
    assert gate.candidates("x", ()) == 1
    assert gate.candidates("abc", ()) == 3


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (r"azure[\w\-. ]{0,24}key", "azure-ſpeech key"), (r"://[^\s:@]{0,9}:[^\s@]{1,9}@", "://u\u2003:p@"), (r"x\[\w]{2}", "x[a]]"),
        (r"[\w]{2,3}+a", "äbca"),
    ],
)  # fmt: skip
def test_expressions_that_compile_quickly_find_no_less(expression: str, text: str) -> None:
    """Large sets of letters take a minute to compile, so they become any character; what looks alike is left alone."""
    gate = Gate(compiled_gate([Condition(expressions=((quick(expression), 0),))]))
    assert not regex.search(expression, text) or gate.candidates(text, ())


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        (r"(?i:(?:ab|c)[|)\]]{0,3}d|e)f", (r"(?i:(?:ab)[|)\]]{0,3}d)f", r"(?i:(?:c)[|)\]]{0,3}d)f", "(?i:e)f")),
        (r"(?:a|b)+c", (r"(?:a|b)+c",)), (r"(?:a\||(?:x|y)z)", (r"(?:a\|)", "(?:(?:x)z)", "(?:(?:y)z)")), ("ab|c", ("ab|c",)),
    ],
)  # fmt: skip
def test_alternatives_are_compiled_apart(expression: str, wanted: tuple[str, ...]) -> None:
    """Beside each other, Vectorscan loses the short ones."""
    assert apart(expression) == wanted


@pytest.mark.parametrize("text", ["covers last c CFKEY:.heck", "steps customer covers up _ddkey=8da9", "customer will cftoken\nvalue=x"])
def test_short_names_behind_prose_are_found(text: str, analyzer: Analyzer) -> None:
    """Each of these was lost, depending on how many letters stand before."""
    assert all(analyzer.gate.candidates("x" * count + text, ()) for count in range(64))


def test_characters_that_the_engines_class_differently_are_exchanged() -> None:
    """Digits of new scripts, combining marks, and the i of Turkish."""
    gate = Gate(compiled_gate([Condition(expressions=((r"\d{4}", 0),)), Condition(expressions=((r"\bid\b", regex.I),))]))
    assert gate.candidates("\U00011f50\U00011f51\U00011f52\U00011f53", ()) == 1
    assert gate.candidates("my \u0130D", ()) == 2
    assert gate.candidates("\u0661\u0662\u0663\u0664", ()) == 1
    assert gate.candidates("a\u0301bcd 12\u00b34", ()) == 0


def test_words_are_whole_words_of_the_text_or_of_its_key() -> None:
    """A weak recognizer without its words finds nothing."""
    gate = Gate(compiled_gate([Condition(expressions=((r"x\d{4}", 0),), worded=((r"\d{4}", 0),), words=("dl", "driver license"))]))
    assert gate.candidates("handle 1234", ()) == 0
    assert gate.candidates("DL_1234", ()) == 1
    assert gate.candidates("x1234", ()) == 1
    assert gate.candidates("1234", ("driver",)) == 1
    assert gate.candidates("driver", ("dl",)) == 0


def test_without_hyperscan_every_recognizer_looks_at_every_text(monkeypatch: pytest.MonkeyPatch, analyzer: Analyzer) -> None:
    """Slower, with the same result."""
    texts = ("nothing", "jane@example.com", "card 4111 1111 1111 1111, ssn 536-22-8726")
    wanted = [analyzer.find(text, ()) for text in texts]
    monkeypatch.setattr(conditions, "hyperscan", lambda: None)
    monkeypatch.setattr(database, "hyperscan", lambda: None)
    slow = Analyzer(RedactionConfig())
    assert not slow.gate.is_fast
    assert [slow.gate.candidates(text, ()) for text in texts] == [slow.gate.everything] * len(texts)
    assert [slow.find(text, ()) for text in texts] == wanted


def test_a_compiled_gate_is_kept_and_a_damaged_one_is_made_anew(tmp_path: Path, logged: LogCapture) -> None:
    """The second start reads what the first one wrote."""
    wanted = [Condition(expressions=(("abc", 0),))]
    first = open_gate(wanted, tmp_path)
    (kept,) = tmp_path.glob("prefilter-*")
    assert open_gate(wanted, tmp_path).blob == first.blob
    assert kept.read_bytes() == first.blob
    kept.write_bytes(first.blob[:-1])
    assert open_gate(wanted, tmp_path).candidates("xabcx", ()) == 1
    assert [each["event"] for each in logged.entries] == ["the compiled prefilter is made anew"]
    assert kept.read_bytes() == first.blob


@pytest.mark.parametrize("damage", ["a bit", "a list", "nothing", "the end", "a folder", "of another format"])
@pytest.mark.parametrize("pattern", ["prefilter-*", "characters-*"])
def test_whatever_stands_in_a_kept_file_the_gate_is_right(pattern: str, damage: str, tmp_path: Path) -> None:
    """One wrong bit would let texts pass: a file counts only as it was written."""
    wanted = [Condition(expressions=((r"\bab\d", 0),))]
    first = open_gate(wanted, tmp_path)
    (kept,) = tmp_path.glob(pattern)
    content = kept.read_bytes()
    kept.unlink()
    if damage == "a folder":
        kept.mkdir()
    else:
        where = content.index(b"{") + 3
        flipped = content[:where] + bytes([content[where] ^ 1]) + content[where + 1 :]
        damaged = {"a bit": flipped, "a list": b"[]\n", "nothing": b"", "the end": content[:-1], "of another format": content[32:]}
        kept.write_bytes(damaged[damage])
    for other in tmp_path.glob("prefilter-*" if pattern == "characters-*" else "none"):
        other.unlink()
    assert open_gate(wanted, tmp_path).blob == first.blob
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def test_memory_of_characters_is_bounded() -> None:
    """Whoever sends every character there is does not fill the memory with them."""
    gate = Gate(compiled_gate([Condition(expressions=((r"\d{3}", 0),))]))
    for start in range(0x10000, 0x30000, 0x800):
        assert gate.candidates("".join(map(chr, range(start, start + 0x800))) + " 123", ()) == 1
    assert len(gate._agreed) < 25_000
    assert len(gate._exchange) <= 20_000


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    """Read-only containers work."""
    tmp_path.chmod(0o500)
    assert open_gate([Condition(expressions=(("abc", 0),))], tmp_path / "cache").candidates("abc", ()) == 1


def test_a_gate_may_be_asked_from_many_threads(analyzer: Analyzer) -> None:
    """Each thread has its own scratch memory."""
    right: list[bool] = []

    def ask() -> None:
        gate = analyzer.gate
        right.extend(bool(gate.candidates("write to jane@example.com", ())) and not gate.candidates("nothing", ()) for _ in range(300))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 1200


def test_a_policy_with_blocked_values_is_gated_by_them(make_redactor: Callable[..., Redactor]) -> None:
    """The policy's own expressions are in the database like all others."""
    redactor = make_redactor(blocked_values=["ACME-[0-9]{4}"], secrets={"enabled": False})
    assert redactor.clean_now([("order ACME-1234", None)])[0].text == "order <BLOCKED_VALUE>"
    assert redactor.lookup("order of acme", None) is not None


def test_every_condition_is_a_superset_by_itself() -> None:
    """No shape may cover for another: each recognizer's own condition holds wherever it finds something."""
    texts = [
        "jane@example.com", "4111 1111 1111 1111", "+1 415-555-0132", "ssn 536-22-8726", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "DE89370400440532013000", "nhs 9434765919", "dea AB1234563", "passport 912345678", "driver license D1234567", "itin 912-70-1234",
        "bank account 12345678901",
    ]  # fmt: skip
    for each in detectors(RedactionConfig()):
        entities = each.recognizer.supported_entities
        certain = [text for text in texts if any(found.score >= 1 for found in each.recognizer.analyze(text, entities, None))]
        gate = Gate(compiled_gate([each.condition], CACHE)) if certain else None
        for text in certain:
            assert gate is not None
            assert gate.candidates(text, ()), (each.recognizer.name, text)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_what_a_rule_matches_has_its_shape(rule: SecretRule) -> None:
    """The shape is what the prefilter looks for: a match without it would never be seen."""
    expression, shape = regex.compile(rule.expression), regex.compile(rule.shape)
    chance = Random(rule.name)
    lost = [text for text in samples(rule.expression, chance, 60) if expression.search(text) and not shape.search(text)]
    assert min(lost, key=len, default=None) is None


def test_hyperscan_finds_what_it_is_given_wherever_it_stands(analyzer: Analyzer) -> None:
    """Vectorscan has lost matches before, depending on what stands around them: no condition may be of a kind that it loses."""
    chance = Random(1)
    texts = Texts(chance, density=0)
    lost = set()
    for index, each in enumerate(analyzer.detectors):
        words = each.condition.words or ("",)
        for expression, flags in () if each.condition.check else each.condition.expressions:
            wanted = regex.compile(expression, flags)
            for sample in samples(expression, chance, 25):
                around, word = texts.prose(), chance.choice((str.lower, str.upper, str.title))(chance.choice(words))
                at, until = chance.randrange(len(around)), chance.randrange(len(around))
                text = f"{around[:at]} {word} {sample}{chance.choice(('', ' '))}{around[until:]}"
                if wanted.search(text) and not analyzer.gate.candidates(text, ()) >> index & 1:
                    lost.add((expression, word, text))
    assert not lost


def test_alternatives_of_the_policy_are_looked_for_by_the_module_of_the_recognizers(make_redactor: Callable[..., Redactor]) -> None:
    """Hyperscan may lose short ones; those of the policy are nobody's to test."""
    redactor = make_redactor(blocked_values=["(?:cloudflare|cf)[a-z]{0,9}key-[0-9]", "^(?:ab|c)$"], secrets={"enabled": False})
    for text in ("my cfkey-1", "xx cloudflare key: cfapikey-7", "ab", '{"a": "c"}', '["cfkey-1"]'):
        assert "<BLOCKED_VALUE>" in redactor.clean_now([(text, None)])[0].text
    assert redactor.lookup("abc", None) is not None
