"""What is done with a text in the collector's own process takes time in proportion to its length: nothing there has a budget."""

import gc
import json
import time
from collections.abc import Callable

import pytest

from redaction.actions import Actions, Treatment
from redaction.content import Captures
from redaction.encodings import stretches
from redaction.findings import Finding
from redaction.policy import RedactionConfig
from redaction.redactor import Redactor

SMALL, LARGE = 1 << 16, 1 << 18
MOST = 10
"""Four times the text costs about four times as much, and sixteen times where the cost is quadratic."""
NOISE_SECONDS = 0.25

Make = Callable[[int], str]

JSON: dict[str, Make] = {
    "keys that become equal": lambda size: "{" + ",".join(['"jane@example.com":1'] * (size // 21)) + "}",
    "names beside names": lambda size: "{" + ",".join(['"name":"Ab Cd"'] * (size // 15)) + "}",
    "sensitive keys beside others": lambda size: "{" + ",".join(f'"phone_{index}":"41"' for index in range(size // 17)) + "}",
    "declared values": lambda size: '{"type":"string",' + ",".join(['"default":"4"'] * (size // 14)) + "}",
    "blocked objects in each other": lambda size: '{"password":' * (size // 13) + "1" + "}" * (size // 13),
    "blocked objects that are cut off": lambda size: '{"password":' * (size // 12),
    "objects in each other": lambda size: '{"address":[' * (size // 14) + '"12 Main St"' + "]}" * (size // 14),
    "brackets": lambda size: "[" * size,
    "labelled values": lambda size: '{"name":"password",' + ",".join(['"value":"abcdefg1"'] * (size // 19)) + "}",
}
TEXTS: dict[str, Make] = {
    "assignments": lambda size: "a=" * (size // 2),
    "quotes": lambda size: "'" * size,
    "backslashes": lambda size: "\\" * size,
    "blocked brackets": lambda size: "'password': [" * (size // 13),
    "tags": lambda size: ("<a>x" + " " * 500) * (size // 504),
    "lines": lambda size: ("a: x" + "|" * 300 + "x\n") * (size // 306),
    "percent signs": lambda size: "%25" * (size // 3),
    "nearly blobs": lambda size: ("A" * 1023 + "!") * (size // 1024),
}
ENCODED: dict[str, Make] = {
    "bytes that are no text before text": lambda size: "ff" * (size // 2 - 20) + b"hello world hello world".hex(),
    "texts between bytes that are none": lambda size: (b"hello world hello" + b"\xff" * 20).hex() * (size // 74),
    "one text": lambda size: b"hello world hello".hex() * (size // 34),
    "zeros": lambda size: (b"hello world hello" + b"\0").hex() * (size // 36),
}


def _seconds(work: Callable[[], object]) -> float:
    gc.collect()
    begun = time.process_time()
    work()
    return time.process_time() - begun


def _is_linear(work: Callable[[str], object], make: Make) -> bool:
    texts = [make(SMALL), make(LARGE)]
    small, large = [_seconds(lambda text=text: work(text)) for text in texts]  # type: ignore[misc]
    return large < MOST * small + NOISE_SECONDS


@pytest.mark.parametrize("name", [*JSON, *TEXTS])
def test_taking_a_text_apart_and_putting_it_together(name: str, make_redactor: Callable[..., Redactor]) -> None:
    """Whatever stands in it, and however deep; what scanners would find is not asked, so the redactor is this test's own."""
    redactor = make_redactor()

    def work(text: str) -> None:
        items = [(text, "input.value")]
        composition = redactor._asked(items, None)
        redactor._answers(composition, items, dict.fromkeys(composition.missing, ()))

    assert _is_linear(work, (JSON | TEXTS)[name])


@pytest.mark.parametrize("name", ENCODED)
def test_reading_what_is_encoded(name: str) -> None:
    """Also what is hardly text, and much of it."""
    assert _is_linear(lambda text: list(stretches(text)), ENCODED[name])


def _found(text: str) -> tuple[Finding, ...]:
    return tuple(
        Finding(start, start + 6, ("EMAIL_ADDRESS", "URL")[start % 16 // 8], 0.9, "rule") for start in range(0, len(text) - 8, 8)
    )  # fmt: skip


def test_masking_one_of_many_findings() -> None:
    """Each finding is compared with those that it overlaps, not with all."""
    actions = Actions(RedactionConfig.model_validate({"actions": {"entities": {"EMAIL_ADDRESS": "mask"}}}), b"k" * 32)
    how = Treatment(seal=lambda entity, _: entity)
    assert _is_linear(lambda text: actions.applied(text, _found(text), how), lambda size: "a@b.co, " * (size // 8))


def test_placeholders_beside_findings(redactor: Redactor) -> None:
    """A text that was cleaned before is full of them."""
    rules = redactor._rules
    assert _is_linear(lambda text: rules._without_own(text, _found(text)), lambda size: "<URL>,  " * (size // 8))


def test_names_of_content() -> None:
    """Attribute keys are as long as a sender likes, and the globs have many stars."""
    content = RedactionConfig.model_validate({"content": {"capture": "hash"}}).content
    capture = Captures(content, b"k" * 32).of(None, None)
    assert capture is not None
    part = "_messages..message.contents..message_content."
    assert _is_linear(capture.mode, lambda size: "llm." + part * (size // len(part)))
    assert capture.mode("llm." + part + "_messages.0.message.contents.1.message_content.text") == "hash"


def test_a_long_key_is_not_remembered(redactor: Redactor) -> None:
    """Keys are what a sender chooses: neither the keys nor their words fill the memory."""
    keys = redactor._rules.keys
    known = len(keys.attributes), len(keys._nested), len(keys._classes)
    for index in range(20):
        key = f"{index}" + "x" * 100_000 + ".note"
        assert sum(map(len, (*keys.attribute(key).context, *keys.nested(key).context))) < 1000
    assert (len(keys.attributes), len(keys._nested)) == known[:2]
    assert len(keys._classes) <= known[2] + 1


def test_a_deep_text_is_answered(redactor: Redactor) -> None:
    """JSON in JSON in JSON, to the end: what lies deep is no other text than the same on top."""
    text = "deep@example.com"
    while len(text) < SMALL:
        text = json.dumps({"content": text})
    assert "deep@" not in redactor.clean_now([(text, None)])[0].text


def test_a_deep_document_is_read_like_any_other(redactor: Redactor) -> None:
    """Keys count in the innermost one, and what is remembered of it holds where it stands alone."""
    document = text = json.dumps({"customer": {"name": "jane deep"}})
    for _ in range(12):
        text = json.dumps({"content": text})
    assert "jane" not in redactor.clean_now([(text, None)])[0].text
    assert "jane" not in redactor.clean_now([(document, None)])[0].text
