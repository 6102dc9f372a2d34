"""The policy: strict, explained, and hashed by everything that decides what is stored."""

import re

import pytest
from presidio_analyzer import RecognizerRegistry
from pydantic import ValidationError

from redaction.policy import DEFAULT_ENTITIES, DEFAULT_EXEMPT_KEYS, DEFAULT_IDENTITY_KEYS, OPTIONAL_ENTITIES, RedactionConfig, policy_hash


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"vault": {"key": "x"}}, "Extra inputs are not permitted"),
        ({"hash_function": "md4"}, "Input should be 'none', 'md5'"),
        ({"summary": "verbose"}, "Input should be 'silent', 'info'"),
        ({"actions": {"entities": {"EMAIL": "mask"}}}, "actions.entities: unknown entities EMAIL; known are ABA_ROUTING_NUMBER"),
        ({"actions": {"entities": {"EMAIL_ADDRESS": "hide"}}}, "Input should be 'replace', 'mask'"),
        ({"actions": {"entities": {"GITHUB_TOKEN": "mask"}}}, "GITHUB_TOKEN: credentials cannot be masked"),
        ({"actions": {"entities": {"EMAIL_ADDRESS": "vault"}}}, "vault needs `vault: {enabled: true}` and a master key"),
        ({"actions": {"keys": [{"pattern": "x", "action": "vault"}]}}, "vault needs"),
        ({"actions": {"keys": [{"pattern": "(", "action": "mask"}]}}, "is not a regular expression"),
        ({"actions": {"keys": [{"pattern": "x", "action": "mask", "entity": "customer"}]}}, "should match pattern"),
        ({"sensitive_keys": {"extra": {"PERSON": ["["]}}}, "is not a regular expression"),
        ({"content": {"capture": "some"}}, "Input should be 'full', 'truncated'"),
        ({"content": {"truncate_chars": 3}}, "greater than or equal to 16"),
        ({"content": {"rules": [{"tenant": "acme"}]}}, "Field required"),
        ({"secrets": {"disabled_rules": ["no such rule"]}}, "unknown rules no such rule; `auditlake redact --explain`"),
        ({"presidio": {"model": "x"}}, "Extra inputs are not permitted"),
        ({"presidio": {"nlp_engine": "nltk"}}, "Input should be 'none', 'spacy'"),
        ({"presidio": {"entities": ["EMAIL"]}}, "unknown entities EMAIL; known are CREDIT_CARD"),
        ({"presidio": {"score_threshold": 0}}, "greater than 0"),
        ({"presidio": {"phone_regions": ["usa"]}}, "should match pattern"),
        ({"blocked_key_patterns": ["(unclosed"]}, "is not a regular expression"),
        ({"ignored_key_patterns": ["*"]}, "is not a regular expression"),
        ({"blocked_values": ["a*"]}, "matches the empty text"),
        ({"allowed_values": ["[z-a]"]}, "is not a regular expression"),
        ({"cache_bytes": -1}, "greater than or equal to 0"),
    ],
)
def test_wrong_options_are_errors_that_say_what_is_wrong(options: dict[str, object], said: str) -> None:
    """Every option accepted takes effect; every other one is refused at validation."""
    with pytest.raises(ValidationError, match=re.escape(said)):
        RedactionConfig.model_validate(options)


def test_every_known_entity_exists_in_presidio() -> None:
    """The list in the policy is checked against the installed Presidio, which the policy itself must not import."""
    registry = RecognizerRegistry(supported_languages=["en"])
    registry.load_predefined_recognizers(languages=["en"])
    offered = {entity for recognizer in registry.recognizers for entity in recognizer.supported_entities}
    offered -= {"LOCATION", "NRP", "ORGANIZATION", "PERSON"}  # those need a language model
    assert set(DEFAULT_ENTITIES) | set(OPTIONAL_ENTITIES) == offered


def test_no_key_is_both_exempt_and_an_identity() -> None:
    """An exempt value passes unscanned and could not be pseudonymised."""
    assert not set(DEFAULT_EXEMPT_KEYS) & set(DEFAULT_IDENTITY_KEYS)
    assert len(set(DEFAULT_EXEMPT_KEYS)) == len(DEFAULT_EXEMPT_KEYS)


def test_the_hash_tells_policies_apart_and_nothing_else() -> None:
    """Records say which policy they went through; memory and process counts change nothing in them."""
    default = policy_hash(RedactionConfig())
    assert len(default) == 16
    assert default == policy_hash(RedactionConfig(cache_bytes=1))
    assert default == policy_hash(RedactionConfig.model_validate({"presidio": {"workers": 4}}))
    assert default == policy_hash(RedactionConfig.model_validate({"vault": {"master_key_env": "KEY", "master_key_file": "key"}}))
    changed = [
        {"hash_function": "md5"},
        {"summary": "debug"},
        {"redact_all_types": False},
        {"sensitive_keys": {"extra": {"PERSON": ["^who$"]}}},
        {"names": {"enabled": False}},
        {"actions": {"entities": {"EMAIL_ADDRESS": "mask"}}},
        {"actions": {"keys": [{"pattern": "^x", "action": "drop"}]}},
        {"content": {"capture": "hash"}},
        {"content": {"rules": [{"tenant": "acme*", "capture": "none"}]}},
        {"vault": {"subject_keys": ["customer.id"]}},
        {"secrets": {"encoded": False}},
        {"blocked_key_patterns": ["x"]},
        {"presidio": {"score_threshold": 0.5}},
        {"presidio": {"timeout_ms": 100}},
        {"secrets": {"enabled": False}},
        {"identity_keys": ["who"]},
    ]
    hashes = {policy_hash(RedactionConfig.model_validate(options)) for options in changed}
    assert len(hashes | {default}) == len(changed) + 1


def test_an_action_may_name_an_entity_of_the_policy_itself() -> None:
    """Entities of key rules and of further sensitive keys are as good as built-in ones."""
    config = RedactionConfig.model_validate(
        {
            "sensitive_keys": {"extra": {"BADGE": ["badge"]}},
            "actions": {"entities": {"BADGE": "drop", "CUSTOMER": "mask", "DEFAULT": "pseudonym"}, "keys": [_CUSTOMER]},
        }
    )
    assert not config.vaulting
    assert {"BADGE", "CUSTOMER", "PERSON", "GITHUB_TOKEN", "BLOCKED_VALUE"} <= config.known_entities()


_CUSTOMER = {"pattern": "customer", "action": "mask", "entity": "CUSTOMER"}
