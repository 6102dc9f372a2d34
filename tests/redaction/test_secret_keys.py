"""Keys whose values are secrets when they are written like one, in JSON and in attributes as in text; and keys in odd spellings."""

import json
import random
import string
from collections.abc import Callable

import pytest

from redaction.redactor import Redactor
from redaction.secret_keys import secret_key

RNG = random.Random(20)
VALUE = "h7" + "".join(RNG.choices(string.ascii_letters + string.digits, k=9))
Make = Callable[..., Redactor]


def stored(redactor: Redactor, key: str, value: object) -> str:
    """What is stored of a member of a JSON document."""
    return redactor.clean_now([(json.dumps({key: value}, ensure_ascii=False), None)])[0].text


@pytest.mark.parametrize(
    "key",
    [
        "pwd",
        "db.pwd",
        "pass",
        "smtp_pass",
        "passcode",
        "token",
        "github_token",
        "x-vault-token",
        "tokenValue",
        "access_key",
        "signingKey",
        "credential",
        "jwt",
        "auth",
        "pass_word",
        "pass-word",
        "mot_de_passe",
        "Passwort",
        "contraseña",
        "csrf_token",
    ],
)
def test_a_secret_goes_because_of_its_key(redactor: Redactor, key: str) -> None:
    """A short password has no shape; its key is all that tells."""
    assert VALUE not in stored(redactor, key, VALUE)
    assert VALUE not in stored(redactor, key, [VALUE])
    assert VALUE not in redactor.clean_now([(VALUE, key)])[0].text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pwd", "/home/jane/project1"),
        ("pass", "12/15"),
        ("pass", "31815"),
        ("pass", "true"),
        ("token", "hello"),
        ("token", "isn't"),
        ("token", " (v2"),
        ("next_page_token", VALUE),
        ("max_tokens", "4096"),
        ("token_type", "oauth2-v2"),
        ("access_key_id", "deploy-key"),
        ("auth", "oauth2"),
        ("credentials", "${DB_CREDENTIALS}"),
        ("token", "<OPENAI_API_KEY>"),
        ("public_key", "id_ed25519.pub"),
    ],
)
def test_what_is_no_secret_stays(redactor: Redactor, key: str, value: str) -> None:
    """Folders, outcomes of tests, tokens of texts and pages, references."""
    assert json.loads(stored(redactor, key, value)) == {key: value}


def test_the_kind_of_a_credential_is_told_when_it_has_one(redactor: Redactor) -> None:
    """The key says that it is a secret, its shape which."""
    token = "gh" + "p_" + "".join(RNG.choices(string.ascii_letters + string.digits, k=36))
    assert "<GITHUB_TOKEN>" in stored(redactor, "token", token)


def test_without_secrets_no_key_tells(make_redactor: Make) -> None:
    """`secrets: {enabled: false}` holds for these keys, too."""
    assert VALUE in stored(make_redactor(secrets={"enabled": False}), "pwd", VALUE)


def test_lookups_give_the_same(redactor: Redactor) -> None:
    """The hot path and the slow one agree, and the same text under another key stays what it is."""
    answer = redactor.clean_now([(VALUE, "pwd")])[0]
    assert redactor.lookup(VALUE, "pwd") == answer
    assert redactor.clean_now([(VALUE, "build")])[0].text == VALUE


@pytest.mark.parametrize("key", ["pass\u200bword", "ｐａｓｓｗｏｒｄ", "s\u00adsn", "ｓｓｎ", "first\u2060_name", "pre\u0301nom"])
def test_a_key_is_read_as_a_reader_sees_it(redactor: Redactor, key: str) -> None:
    """Invisible and fullwidth characters, and letters in two parts, hide no key."""
    value = "078051120"
    assert value not in stored(redactor, key, value)
    assert value not in redactor.clean_now([(value, key)])[0].text


def test_words_decide() -> None:
    """The ending of the key counts."""
    assert secret_key("compass") is None
    assert secret_key("bypass") is None
    assert secret_key("monkey") is None
    assert secret_key("author") is None
