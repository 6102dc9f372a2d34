"""What becomes of findings: every action, per entity and per key, and what never happens to a credential."""

import json
import string
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redaction.actions import Actions, Treatment, masked
from redaction.findings import Cleaned, Finding
from redaction.policy import Action, RedactionConfig
from redaction.redactor import Redactor
from redaction.vault import PLACEHOLDER, Vault
from tests.redaction.conftest import CACHE, KEY
from tests.redaction.vaults import open_vault

Make = Callable[..., Redactor]
TOKEN = "ghp_" + "a1B2" * 9
TEXT = "Write to jane@example.com or +1 415 555 0132."


def refuse(_entity: str, _text: str) -> str:
    """No vault."""
    raise AssertionError


def applied(entities: dict[str, str], text: str, *findings: tuple[int, int, str], **how: bool) -> tuple[str, dict[str, int]]:
    """What the actions make of findings in a text, and the counts."""
    actions = Actions(RedactionConfig.model_validate({"actions": {"entities": entities}}), KEY)
    found = tuple(Finding(start, end, entity, 0.9, "rule") for start, end, entity in findings)
    result = actions.applied(text, found, Treatment(seal=refuse, **how))
    return result.text, dict(result.counts)


def test_every_entity_has_its_action(make_redactor: Make) -> None:
    """And all others the default."""
    redactor = make_redactor(actions={"entities": {"EMAIL_ADDRESS": "mask", "PHONE_NUMBER": "drop", "DEFAULT": "replace"}})
    result = redactor.clean_now([(f"{TEXT} {TOKEN}", None)])[0]
    assert result.text == "Write to ****@******e.com or . <GITHUB_TOKEN>"
    assert dict(result.counts) == {"EMAIL_ADDRESS": 1, "PHONE_NUMBER": 1, "GITHUB_TOKEN": 1}


def test_a_pseudonym_is_the_same_for_the_same_text() -> None:
    """Wherever it stands, however it is written."""
    text, _ = applied({"EMAIL_ADDRESS": "pseudonym"}, "a@b.org A@B.ORG c@d.org", (0, 7, "EMAIL_ADDRESS"), (8, 15, "EMAIL_ADDRESS"))
    first, second, _ = text.split()
    assert first == second
    assert first.startswith("<EMAIL_ADDRESS:")


def test_what_is_kept_stays_and_is_counted(make_redactor: Make) -> None:
    """Under its own name: the reader of a count has to know that the text is still there."""
    result = make_redactor(actions={"entities": {"EMAIL_ADDRESS": "keep"}}).clean_now([(TEXT, "note")])[0]
    assert result.text == "Write to jane@example.com or <PHONE_NUMBER>."
    assert result.receipts == {
        ("KEPT", "EMAIL_ADDRESS/EmailRecognizer", ""): 1,
        ("PHONE_NUMBER", "RegionalPhoneRecognizer/phonenumbers", ""): 1,
    }


def test_what_is_kept_excuses_nothing_in_it() -> None:
    """A URL that may stay does not protect the address in its query, and hides it neither."""
    url = "https://x.org/?mail=jane@example.com&y=1"
    assert applied({"URL": "keep"}, url, (0, len(url), "URL"), (20, 36, "EMAIL_ADDRESS")) == (
        "https://x.org/?mail=<EMAIL_ADDRESS>&y=1",
        {"EMAIL_ADDRESS": 1, "KEPT": 1},
    )


def test_a_mask_shows_nothing_of_what_overlaps_it() -> None:
    """Where one finding is to be masked and another to be replaced, all goes."""
    assert applied({"URL": "mask"}, "https://x.org/" + TOKEN, (0, 54, "URL"), (14, 54, "GITHUB_TOKEN"))[0] in {"<URL>", "<GITHUB_TOKEN>"}


@pytest.mark.parametrize("default", ["keep", "mask"])
def test_a_default_does_not_loosen_credentials(default: Action) -> None:
    """They are kept only when they are named."""
    assert applied({"DEFAULT": default}, TOKEN, (0, len(TOKEN), "GITHUB_TOKEN"))[0] == "<GITHUB_TOKEN>"
    assert applied({"DEFAULT": default, "GITHUB_TOKEN": "keep"}, TOKEN, (0, len(TOKEN), "GITHUB_TOKEN"))[0] == TOKEN


@pytest.mark.parametrize("action", ["replace", "mask", "drop", "pseudonym"])
def test_identities_stay_pseudonyms(action: Action) -> None:
    """Two people stay two, whatever the entity's action is."""
    text, _ = applied({"EMAIL_ADDRESS": action}, "a@b.org", (0, 7, "EMAIL_ADDRESS"), identity=True)
    assert text.startswith("<EMAIL_ADDRESS:")
    assert applied({"EMAIL_ADDRESS": "keep"}, "a@b.org", (0, 7, "EMAIL_ADDRESS"), identity=True)[0] == "a@b.org"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4111 1111 1111 1111", "**** **** **** 1111"),
        ("+1 415 555 0132", "+* *** *** *132"),
        ("078-05-1120", "***-**-*120"),
        ("abc", "**c"),
        ("ab", "**"),
        ("", ""),
        ("ä-Ö-7", "*-*-7"),
        ("日本語文字列", "****字列"),
        ("e\u0301e\u0301e\u0301", "****e*"),
    ],
)
def test_masks(text: str, expected: str) -> None:
    """The last four letters or digits stay, at most a third of them; punctuation and spaces always do."""
    assert masked(text) == expected


@given(st.text(alphabet=string.printable + "äß漢\u0301\u200b"))
def test_a_mask_keeps_at_most_a_third_and_four(text: str) -> None:
    """Of letters and digits; nothing is added and nothing moved."""
    result = masked(text)
    assert len(result) == len(text)
    shown = sum(char.isalnum() for char in result)
    assert shown <= min(4, sum(char.isalnum() for char in text) // 3)
    assert all(new in {"*", old} for new, old in zip(result, text, strict=True))


KEY_RULES = {
    "keys": [
        {"pattern": r"(?i)^customer\.note$", "action": "keep"},
        {"pattern": r"(?i)^customer\.", "action": "pseudonym", "entity": "CUSTOMER"},
        {"pattern": "^internal_", "action": "drop"},
        {"pattern": "^ref$", "action": "mask", "entity": "REF"},
    ]
}


def test_key_rules_take_the_whole_value(make_redactor: Make) -> None:
    """The first that matches, before anything that is found in it; keys of JSON and members of objects under them alike."""
    redactor = make_redactor(actions=KEY_RULES)
    assert [each.text for each in redactor.clean_now([("jane@example.com", "customer.note"), ("x y z", "internal_x")])] == [
        "jane@example.com",
        "",
    ]
    jane, again = redactor.clean_now([("Jane Doe", "customer.name"), ("jane doe", "CUSTOMER.full")])
    assert jane.text == again.text
    assert jane.text.startswith("<CUSTOMER:")
    assert jane.receipts == {("CUSTOMER", "policy/actions.keys", ""): 1}
    text = '{"internal_x": {"a": "b", "n": 1}, "ref": "AB-123456", "customer.note": "x ' + TOKEN + '"}'
    assert json.loads(redactor.clean_now([(text, None)])[0].text) == {
        "internal_x": {"a": "", "n": ""},
        "ref": "**-****56",
        "customer.note": "x <GITHUB_TOKEN>",
    }


def test_key_rules_decide_about_values_of_every_type(make_redactor: Make) -> None:
    """A constant where there is one; else every number and member is looked up under the key."""
    redactor = make_redactor(actions=KEY_RULES)
    constant = redactor.blocked("internal_x")
    assert constant is not None
    assert constant.text == ""
    assert redactor.blocked("customer.name") is None
    assert redactor.may_hold("1", "customer.name")
    assert redactor.inherits("customer.name")
    assert not redactor.inherits("other")
    assert redactor.blocked("db.password") is not None


def test_a_kept_key_opens_no_blocked_one(make_redactor: Make) -> None:
    """A generous pattern does not let passwords pass."""
    redactor = make_redactor(actions={"keys": [{"pattern": ".", "action": "keep"}]})
    assert redactor.clean_now([("hunter2", "db.password")])[0].text == "<BLOCKED_KEY>"
    assert redactor.clean_now([("a@example.com", "note")])[0].text == "a@example.com"


@pytest.mark.parametrize(("name", "digits"), [("md5", 32), ("sha1", 40), ("sha3", 64), ("hmac-sha256", 64), ("hmac-sha512", 128)])
def test_digests_of_blocked_values_are_keyed(make_redactor: Make, name: str, digits: int) -> None:
    """Equal values have equal digests, in one lake: without its key nobody can try out numbers."""
    redactor = make_redactor(hash_function=name, blocked_values=["internal-[0-9]+"], secrets={"enabled": False})
    one, two, other = redactor.clean_now([("hunter2", "password"), ("hunter2", "x-api-key"), ("hunter3", "password")])
    assert one.text == two.text != other.text
    assert len(one.text) == digits + len("<BLOCKED_KEY:>")
    elsewhere = Redactor(RedactionConfig.model_validate({"hash_function": name}), pseudonym_key=b"x" * 32, cache_folder=CACHE)
    assert elsewhere.clean_now([("hunter2", "password")])[0].text != one.text
    assert redactor.clean_now([("see internal-7!", None)])[0].text.startswith("see <BLOCKED_VALUE:")
    listed = json.loads(redactor.clean_now([('{"password": ["a"]}', None)])[0].text)
    assert len(listed["password"]) == digits + len("<BLOCKED_KEY:>")


class Failing:
    """A vault whose disk is full."""

    def generation(self) -> int:
        return 0

    def reference(self, subject: str, entity: str, text: str) -> str:
        return "0" * 24

    def seal(self, values: object) -> None:
        raise OSError(28, "No space left on device")


VAULTED = {
    "vault": {"enabled": True},
    "actions": {"entities": {"EMAIL_ADDRESS": "vault"}, "keys": [{"pattern": "^badge$", "action": "vault", "entity": "BADGE"}]},
}


def with_vault(vault: Vault | None) -> Redactor:
    """A redactor that vaults e-mail addresses and badges."""
    return Redactor(RedactionConfig.model_validate(VAULTED), pseudonym_key=KEY, vault=vault, cache_folder=CACHE)


def test_originals_are_in_the_vault_before_the_answer(tmp_path: Path) -> None:
    """Under the subject's key; a second time the answer is remembered, for that subject alone."""
    vault = open_vault(tmp_path)
    redactor = with_vault(vault)
    jane = redactor.for_subject("jane")
    text = '{"to": "bob@example.com", "badge": 4711, "n": [1]}'
    (result,) = jane.clean_now([(text, None)])
    document = json.loads(result.text)
    references = [PLACEHOLDER.fullmatch(document[key]) for key in ("to", "badge")]
    assert [(each["entity"], vault.reveal(each["reference"]).text) for each in references if each] == [
        ("EMAIL_ADDRESS", "bob@example.com"),
        ("BADGE", "4711"),
    ]
    assert dict(result.counts) == {"EMAIL_ADDRESS": 1, "BADGE": 1}
    assert jane.lookup(text, None) == result
    assert redactor.lookup(text, None) is None
    assert redactor.for_subject("joe").clean_now([(text, None)])[0].text != result.text
    vault.destroy("jane")
    vault.close()


def test_a_text_without_a_subject_is_its_own(tmp_path: Path) -> None:
    """The same value then has the same reference, however it is written."""
    vault = open_vault(tmp_path)
    redactor = with_vault(vault)
    assert redactor.subject_keys == ("enduser.id", "user.id")
    one, two = redactor.clean_now([("bob@example.com", None), ("hi bob@example.com", None)])
    assert one.text in two.text
    assert redactor.for_subject(None) is redactor
    vault.close()


@pytest.mark.parametrize("vault", [None, Failing()])
def test_what_the_vault_cannot_keep_is_withheld(vault: Vault | None) -> None:
    """Never stored, never let through, and tried again the next time."""
    redactor = with_vault(vault)
    texts = ["bob@example.com", '{"a": {"b": "bob@example.com"}, "c": "kept"}', "harmless"]
    for _ in range(2):
        results = redactor.clean_now([(text, None) for text in texts])
        assert [each.text for each in results] == ["<WITHHELD:vault>", "<WITHHELD:vault>", "harmless"]
        assert dict(results[0].receipts) == {("WITHHELD", "vault", ""): 1}
    assert redactor.lookup("bob@example.com", None) is None
    assert redactor.lookup("4711", "badge") is None


def test_a_policy_without_vault_depends_on_no_subject(redactor: Redactor) -> None:
    """So its cache is shared by all."""
    assert redactor.subject_keys == ()
    assert redactor.for_subject("jane") is redactor


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("write to <EMAIL_ADDRESS:0123456789abcdef>", None),
        ("<EMAIL_ADDRESS:0123456789abcdef>", "user.email"),
        ("<PERSON>", "customer.name"),
        ("<CREDIT_CARD>", "password"),
        ("API key: <OPENAI_API_KEY:0123456789abcdef>", "user.id"),
        ("<PHONE_NUMBER:v1:0123456789abcdef01234567>", "phone"),
        ("<BLOCKED_KEY:0123456789abcdef0123456789abcdef>", "password"),
        ('{"customer": {"name": "<PERSON:0123456789abcdef>"}}', None),
    ],
)
def test_what_was_cleaned_already_stays(redactor: Redactor, text: str, key: str | None) -> None:
    """Records come through more than one collector: a pseudonym of a pseudonym would be somebody else."""
    assert redactor.clean_now([(text, key)])[0] == Cleaned(text=text)


@pytest.mark.parametrize(
    "text", ["<JANE_DOE>", "<PERSON:jane>", "<PERSON> Doe", "<EMAIL_ADDRESS:0123456789ABCDEF>", "<SECRET:0123456789abcdef>"]
)
def test_what_only_looks_cleaned_is_not(redactor: Redactor, text: str) -> None:
    """Nobody hides a name in brackets."""
    assert redactor.clean_now([(text, "customer.name")])[0].text == "<PERSON>"
