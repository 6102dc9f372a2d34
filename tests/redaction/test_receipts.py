"""What a result says about what was taken out: which entity, by which rule, and where inside the text; never what it was."""

import json
from collections.abc import Callable

import pytest

from redaction.findings import PATH_CHARS
from redaction.redactor import Redactor

Make = Callable[..., Redactor]
RECEIPT = ("EMAIL_ADDRESS", "EmailRecognizer")


def receipts(redactor: Redactor, text: str, key: str | None = None) -> dict[tuple[str, str, str], int]:
    """The receipts of one text."""
    return dict(redactor.clean_now([(text, key)])[0].receipts)


def test_a_text_has_no_path(redactor: Redactor) -> None:
    """Each finding is counted once, under its rule."""
    assert receipts(redactor, "a@example.com b@example.com 4111 1111 1111 1111") == {
        (*RECEIPT, ""): 2,
        ("CREDIT_CARD", "CreditCardRecognizer", ""): 1,
    }
    assert receipts(redactor, "nothing") == {}


def test_leaves_of_json_have_paths(redactor: Redactor) -> None:
    """Keys with dots between them, `[]` for any item; JSON in JSON goes on behind its own path; a cleaned key is told as cleaned."""
    document = {
        "messages": [{"role": "user", "content": "a@example.com"}, {"content": ["b@example.com", {"c@example.com": "d@example.com"}]}],
        "args": json.dumps({"to": "e@example.com", "password": {"x": 1}}),
        "x.y": 4111111111111111,
    }
    assert receipts(redactor, json.dumps(document)) == {
        (*RECEIPT, ".messages[].content"): 1,
        (*RECEIPT, ".messages[].content[]"): 1,
        (*RECEIPT, ".messages[].content[].<EMAIL_ADDRESS>"): 2,
        (*RECEIPT, ".args.to"): 1,
        ("BLOCKED_KEY", "policy/blocked_key_patterns", ".args.password"): 1,
        ("CREDIT_CARD", "CreditCardRecognizer", ".x.y"): 1,
    }
    assert receipts(redactor, '["a@example.com", "b@example.com"]') == {(*RECEIPT, "[]"): 2}
    assert receipts(redactor, '{"a": ["x"]} a@example.com') == {(*RECEIPT, ""): 1}


def test_a_named_value_has_its_own_path(redactor: Redactor) -> None:
    """The name that a sibling gives decides the class, not the path: it may be anything."""
    assert receipts(redactor, '{"name": "DB_PASSWORD", "value": "hunter2"}') == {
        ("BLOCKED_KEY", "policy/blocked_key_patterns", ".value"): 1
    }


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        ("password", ("BLOCKED_KEY", "policy/blocked_key_patterns")),
        ("customer.name", ("PERSON", "policy/sensitive_keys")),
        ("badge", ("BADGE", "policy/actions.keys")),
    ],
)
def test_what_a_key_decides_is_the_policys_rule(make_redactor: Make, key: str, rule: tuple[str, str]) -> None:
    """Under its name in the policy."""
    redactor = make_redactor(actions={"keys": [{"pattern": "^badge$", "action": "replace", "entity": "BADGE"}]})
    assert receipts(redactor, "x7", key) == {(*rule, ""): 1}


def test_keys_that_are_not_allowed_and_texts_that_are_withheld(make_redactor: Make) -> None:
    """The reason is the rule."""
    redactor = make_redactor(allow_all_keys=False, allowed_keys=["ok"], presidio={"max_text_bytes": 1024})
    assert receipts(redactor, "x", "other") == {("KEY_NOT_ALLOWED", "policy/allowed_keys", ""): 1}
    assert receipts(redactor, "x" * 2000, "ok") == {("WITHHELD", "too_large", ""): 1}


def test_what_an_allowed_value_excuses_is_told(make_redactor: Make) -> None:
    """It was found, and it is still there."""
    redactor = make_redactor(allowed_values=[r"[a-z]+@mycompany\.com"])
    assert receipts(redactor, "a@mycompany.com b@example.com") == {
        ("KEPT", "EMAIL_ADDRESS/policy/allowed_values", ""): 1,
        (*RECEIPT, ""): 1,
    }


def test_what_goes_with_its_container_is_not_counted_again(redactor: Redactor) -> None:
    """A blocked object is one finding, whatever stands in it."""
    assert receipts(redactor, '{"password": {"a": "a@example.com", "b": ["b@example.com"]}}') == {
        ("BLOCKED_KEY", "policy/blocked_key_patterns", ".password"): 1
    }


def test_paths_are_cut_and_can_always_be_written(redactor: Redactor) -> None:
    """They come from senders: long ones are cut, half of a surrogate pair is no character."""
    (((_, _, path), _),) = receipts(redactor, json.dumps({"k" * 200: {"\ud800": "a@example.com"}})).items()
    assert path == "." + "k" * (PATH_CHARS - 1)
    (((_, _, path), _),) = receipts(redactor, json.dumps({"ü\ud800": "a@example.com"})).items()
    assert path == ".ü?"
    deep = "[" * 5_000 + '"a@example.com"' + "]" * 5_000
    (((_, _, path), _),) = receipts(redactor, deep).items()
    assert path == "[]" * (PATH_CHARS // 2)


def test_counts_are_the_sums_of_receipts(redactor: Redactor) -> None:
    """By entity."""
    (result,) = redactor.clean_now([('{"a": "a@example.com", "b": ["b@example.com"], "ssn": 123456789}', None)])
    assert dict(result.counts) == {"EMAIL_ADDRESS": 2, "US_SSN": 1}
