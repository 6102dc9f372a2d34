"""The options of OpenTelemetry's contrib redaction processor, by the examples of its README, and where ours is stricter."""

from collections.abc import Callable

import pytest

from redaction.redactor import Redactor

Make = Callable[..., Redactor]

README = {
    "allow_all_keys": False,
    "allowed_keys": ["description", "group", "id", "name", "notes", "user_token"],
    "ignored_keys": ["safe_attribute"],
    "redact_all_types": True,
    "blocked_key_patterns": [".*token.*", ".*api_key.*"],
    "blocked_values": ["4[0-9]{12}(?:[0-9]{3})?", "(5[1-5][0-9]{14})"],
    "allowed_values": [".+@mycompany.com"],
    "summary": "debug",
}
CARD = "4111111111111111"


@pytest.fixture(scope="module")
def contrib() -> Redactor:
    """The README's example."""
    from redaction.policy import RedactionConfig
    from tests.redaction.conftest import CACHE, KEY

    return Redactor(RedactionConfig.model_validate({**README, "secrets": {"enabled": False}}), pseudonym_key=KEY, cache_folder=CACHE)


@pytest.mark.parametrize(
    ("key", "value", "stored"),
    [
        ("description", "a text", "a text"),
        ("mothers_maiden_name", "Doe", "<KEY_NOT_ALLOWED>"),
        ("safe_attribute", CARD, CARD),
        ("user_token", "abc", "<BLOCKED_KEY>"),
        ("user_token", "jane@mycompany.com", "jane@mycompany.com"),
        ("notes", "jane@mycompany.com", "jane@mycompany.com"),
        ("redaction.masked.keys", "notes", "notes"),
    ],
)
def test_the_examples_of_the_readme(contrib: Redactor, key: str, value: str, stored: str) -> None:
    """Ignored keys first, then what is not allowed, blocked keys unless the value is allowed, blocked values."""
    assert contrib.clean_now([(value, key)])[0].text == stored


def test_keys_that_are_ignored_are_told(contrib: Redactor) -> None:
    """For `redaction.ignored.count`."""
    assert [contrib.ignored(key) for key in ("safe_attribute", "notes", "user_token")] == [True, False, False]


def test_what_is_blocked_in_a_value(contrib: Redactor) -> None:
    """The part that matches is replaced, the rest stays."""
    assert contrib.clean_now([(f"paid with {CARD}, thanks", "notes")])[0].text in {
        "paid with <BLOCKED_VALUE>, thanks",
        "paid with <CREDIT_CARD>, thanks",
    }


def test_allowed_values_come_before_blocked_ones(make_redactor: Make) -> None:
    """A finding is excused by an allowed value that is it, or the word that it stands in."""
    redactor = make_redactor(blocked_values=["mycompany.com"], allowed_values=["support.mycompany.com"], secrets={"enabled": False})
    assert [each.text for each in redactor.clean_now([("support.mycompany.com", "k"), ("see support.mycompany.com.", "k")])] == [
        "support.mycompany.com",
        "see support.mycompany.com.",
    ]
    assert redactor.clean_now([("see mycompany.com", "k")])[0].text == "see <BLOCKED_VALUE>"


def test_an_allowed_part_excuses_nothing_else(make_redactor: Make) -> None:
    """Contrib lets a whole value pass when an allowed expression matches anywhere in it."""
    redactor = make_redactor(allowed_values=[".+@mycompany.com"])
    assert redactor.clean_now([("jane@mycompany.com, evil@example.com", "k")])[0].text == "jane@mycompany.com, <EMAIL_ADDRESS>"
    assert redactor.clean_now([("evil@example.com and jane@mycompany.com", "k")])[0].text.startswith("<EMAIL_ADDRESS> and ")


def test_an_empty_list_of_allowed_keys_allows_none(make_redactor: Make) -> None:
    """It fails closed."""
    assert make_redactor(allow_all_keys=False).clean_now([("x", "any")])[0].text == "<KEY_NOT_ALLOWED>"


def test_numbers_are_looked_into_unless_the_policy_says_no(make_redactor: Make) -> None:
    """Keys decide about them all the same."""
    on, off = make_redactor(), make_redactor(redact_all_types=False)
    assert on.may_hold(CARD, "n")
    assert not off.may_hold(CARD, "n")
    assert off.may_hold("123", "cvv")
    assert on.clean_now([(f'{{"n": {CARD}}}', None)])[0].text == '{"n": "<CREDIT_CARD>"}'
    assert off.clean_now([(f'{{"n": {CARD}, "cvv": 123}}', None)])[0].text == f'{{"n": {CARD}, "cvv": "<CARD_SECURITY_CODE>"}}'
