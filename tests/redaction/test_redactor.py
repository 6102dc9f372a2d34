"""The policy applied: keys, identities, JSON, the cache; each promise of `redaction.redactor` has a test here."""

import asyncio
import json
import random
import string
import uuid
import weakref
from collections.abc import Callable

import pytest

from redaction.findings import Cleaned
from redaction.redactor import Redactor

Make = Callable[..., Redactor]
CARD = "4111 1111 1111 1111"


def cleaned(redactor: Redactor, text: str, key: str | None = None) -> Cleaned:
    """Clean one text."""
    return redactor.clean_now([(text, key)])[0]


def test_results_come_in_order_with_their_counts(redactor: Redactor) -> None:
    """One result an item, equal items included."""
    results = redactor.clean_now([("a@example.com and b@example.com", None), ("nothing", None), (CARD, "k"), ("nothing", None)])
    assert [each.text for each in results] == ["<EMAIL_ADDRESS> and <EMAIL_ADDRESS>", "nothing", "<CREDIT_CARD>", "nothing"]
    assert [dict(each.counts) for each in results] == [{"EMAIL_ADDRESS": 2}, {}, {"CREDIT_CARD": 1}, {}]


def test_overlapping_findings_leave_nothing_between(make_redactor: Make) -> None:
    """Where recognizers overlap, the union goes, under the name of the surer, then longer one."""
    redactor = make_redactor(blocked_values=["com and"], secrets={"enabled": False})
    assert cleaned(redactor, "x a@example.com and b").text == "x <EMAIL_ADDRESS> b"


@pytest.mark.parametrize(
    "key", ["db.password", "http.request.header.authorization", "X-Api-Key", "client_secret", "set-cookie", "access_token"]
)
def test_a_blocked_key_gives_a_constant(redactor: Redactor, key: str) -> None:
    """Whatever its value, at once, without a scan, and the value is not kept in memory."""
    known = redactor.lookup("hunter2", key)
    assert known is not None
    assert known.text == "<BLOCKED_KEY>"
    assert dict(known.counts) == {"BLOCKED_KEY": 1}
    assert redactor.blocked(key) is known


@pytest.mark.parametrize("key", ["gen_ai.usage.input_tokens", "llm.token_count.prompt", "http.route", "token", "gen_ai.token.type"])
def test_telemetry_keys_are_not_blocked(redactor: Redactor, key: str) -> None:
    """Token counts are no tokens."""
    assert redactor.blocked(key) is None


def test_json_leaves_are_cleaned_by_their_keys(redactor: Redactor) -> None:
    """At every depth of JSON in JSON; numbers become strings, blocked containers go whole, everything else keeps its bytes."""
    inner = json.dumps({"to": "bob@example.org", "cookie": ["a", 1]})
    text = (
        '{"user": "jane\\u0040example.com",  "n": 1.50, "card": 4111111111111111, "password": {"a": [1]}, "args": '
        + json.dumps(inner)
        + "}"
    )
    result = cleaned(redactor, text, "gen_ai.tool.call.arguments")
    document = json.loads(result.text)
    assert document == {
        "user": "<EMAIL_ADDRESS>",
        "n": 1.5,
        "card": "<CREDIT_CARD>",
        "password": "<BLOCKED_KEY>",
        "args": '{"to": "<EMAIL_ADDRESS>", "cookie": "<BLOCKED_KEY>"}',
    }
    assert result.text.startswith('{"user": "<EMAIL_ADDRESS>",  "n": 1.50, ')
    assert dict(result.counts) == {"EMAIL_ADDRESS": 2, "CREDIT_CARD": 1, "BLOCKED_KEY": 2}


def test_findings_are_offsets_in_the_input(redactor: Redactor) -> None:
    """In code points, also through escapes and JSON in JSON."""
    text = json.dumps({"é": "ü", "a": json.dumps(["ö jane@example.com"])})
    (finding,) = cleaned(redactor, text).findings
    assert text[finding.start : finding.end] == "jane@example.com"
    escaped = '["x\\ud83d\\ude00 jane\\u0040example.com"]'
    (finding,) = cleaned(redactor, escaped).findings
    assert escaped[finding.start : finding.end] == "jane\\u0040example.com"


@pytest.mark.parametrize(
    "text",
    [
        'Result: {\\"to\\": \\"a\\\\njane@example.com\\"}',
        "see https://example.org/?mail=jane%40example.com&x=1",
        "to jane\\u0040example.com",
        '{"a": "cut off jane@exam',
        '{"a": ["ok"]} and jane@example.com',
    ],
)
def test_escapes_and_fragments_hide_nothing(redactor: Redactor, text: str) -> None:
    """Text that is almost JSON is scanned as what it stands for."""
    result = cleaned(redactor, text)
    assert "jane" not in result.text or "jane@exam" in text[-9:]


def test_json_keys_are_cleaned(redactor: Redactor) -> None:
    """Personal data is also used as a key."""
    assert json.loads(cleaned(redactor, '{"jane@example.com": {"joe@example.com": 1}}').text) == {
        "<EMAIL_ADDRESS>": {"<EMAIL_ADDRESS>#2": 1}
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("gen_ai.request.model", "gpt-4o-2024-08-06"),
        ("gen_ai.response.id", "chatcmpl-AbC123xyz"),
        ("gen_ai.tool.call.id", "call_4f9a8b7c"),
        ("service.instance.id", "550e8400-e29b-41d4-a716-446655440000"),
        ("cloud.account.id", "123456789012"),
        ("auditlake.tool.authorization", "policy:refunds"),
        ("k8s.pod.uid", "275ecb36-5aa8-4c2a-9c47-d8bb681b9aff"),
    ],
)
def test_ids_of_the_pipeline_survive(redactor: Redactor, key: str, value: str) -> None:
    """What joins records must stay equal."""
    assert cleaned(redactor, value, key).text == value


@pytest.mark.parametrize(
    "value",
    [
        "jane@example.com",
        CARD,
        "4111111111111111",
        "4111-1111-1111-1111",
        "+14155550132",
        "sk-proj-abcDEF1234567890abcd",
        "ghp_" + "a1B2" * 9,
        "536-22-8726",
    ],
)
def test_an_exempt_key_cannot_smuggle(redactor: Redactor, value: str) -> None:
    """A value that does not look like an id is scanned under any key."""
    assert value not in cleaned(redactor, value, "gen_ai.response.id").text
    assert value not in cleaned(redactor, json.dumps({"trace_id": value})).text


@pytest.mark.parametrize(
    "value",
    [
        "DE89370400440532013000",
        "GB82WEST12345698765432",
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "ABIAIOSFODNN7EXAMPLE",
        "ACCAIOSFODNN7EXAMPLE",
        "agent-4111-1111-1111-1111",
        "xghp_" + "a1B2" * 9,
    ],
)
@pytest.mark.parametrize("key", ["gen_ai.agent.id", "service.name"])
def test_an_exempt_value_is_exempt_while_nothing_can_match(redactor: Redactor, value: str, key: str) -> None:
    """An account number has the shape of an id, too; the answer is remembered."""
    assert value not in cleaned(redactor, value, key).text
    known = redactor.lookup(value, key)
    assert known is not None
    assert value not in known.text


def test_ids_survive_in_every_shape(redactor: Redactor) -> None:
    """Thousands of them, under an exempt key; most without a scan."""
    chance = random.Random(3)
    makers: list[Callable[[], str]] = [
        lambda: str(uuid.UUID(int=chance.getrandbits(128))),
        lambda: f"{chance.getrandbits(128):032x}",
        lambda: f"{chance.getrandbits(256):064x}",
        lambda: "chatcmpl-" + "".join(chance.choices(string.ascii_letters + string.digits, k=29)),
        lambda: f"resp_{chance.getrandbits(192):048x}",
        lambda: "call_" + "".join(chance.choices(string.ascii_letters + string.digits, k=24)),
        lambda: f"claude-sonnet-4-5-2025{chance.randint(1, 12):02}{chance.randint(1, 28):02}",
        lambda: f"web-{chance.getrandbits(36):010x}-{chance.getrandbits(20):05x}",
    ]
    values = [make() for make in makers for _ in range(250)]
    assert sum(redactor.lookup(value, "gen_ai.response.id") is None for value in values) < len(values) / 20
    assert [each.text for each in redactor.clean_now([(value, "gen_ai.response.id") for value in values])] == values


def test_entities_on_request_leave_ids(make_redactor: Make) -> None:
    """A policy that looks for UUIDs still joins records by them."""
    redactor = make_redactor(
        presidio={"entities": ["UUID", "URL", "IBAN_CODE"]}, blocked_values=["internal-[a-z]+"], secrets={"enabled": False}
    )
    some = "550e8400-e29b-41d4-a716-44665544000a"
    assert cleaned(redactor, some, "service.instance.id").text == some
    assert cleaned(redactor, some, "note").text == "<UUID>"
    assert cleaned(redactor, "GB82WEST12345698765432", "service.instance.id").text == "<IBAN_CODE>"


def test_an_exempt_key_that_is_blocked_too_is_blocked_when_it_holds_no_id(redactor: Redactor) -> None:
    """`auditlake.tool.authorization` names a policy; a header in it is none."""
    assert cleaned(redactor, "Basic dXNlcjpwYXNz", "auditlake.tool.authorization").text == "<BLOCKED_KEY>"


def test_identities_become_pseudonyms(redactor: Redactor) -> None:
    """Two people stay two, one person stays one, across keys and processes with the same pseudonym key."""
    jane, again, joe = redactor.clean_now(
        [("jane@example.com", "user.id"), ("JANE@example.com", "auditlake.approval.approver"), ("joe@example.com", "user.id")]
    )
    assert jane.text == again.text != joe.text
    assert jane.text.startswith("<EMAIL_ADDRESS:")
    assert cleaned(redactor, "u-4711", "user.id").text == "u-4711"
    assert json.loads(cleaned(redactor, '{"user_id": "jane@example.com"}').text) == {"user_id": jane.text}


def test_ignored_keys_pass_and_only_at_the_top(make_redactor: Make) -> None:
    """Senders choose the keys inside JSON, so those cannot switch redaction off."""
    redactor = make_redactor(ignored_keys=["raw"], ignored_key_patterns=["^safe[.]"])
    assert cleaned(redactor, "a@example.com", "raw").text == "a@example.com"
    assert cleaned(redactor, "a@example.com", "safe.x").text == "a@example.com"
    assert cleaned(redactor, "a@example.com", "unsafe.x").text == "<EMAIL_ADDRESS>"
    assert cleaned(redactor, '{"raw": "a@example.com"}').text == '{"raw": "<EMAIL_ADDRESS>"}'


def test_only_allowed_keys_keep_their_values(make_redactor: Make) -> None:
    """`allow_all_keys: false` removes what is not named; names, bodies and messages have no key and are scanned."""
    redactor = make_redactor(allow_all_keys=False, allowed_keys=["ok"])
    assert cleaned(redactor, "x", "other").text == "<KEY_NOT_ALLOWED>"
    assert dict(cleaned(redactor, "x", "other").counts) == {"KEY_NOT_ALLOWED": 1}
    assert redactor.blocked("other") is not None
    assert cleaned(redactor, "x a@example.com", "ok").text == "x <EMAIL_ADDRESS>"
    assert cleaned(redactor, "x", None).text == "x"
    assert cleaned(redactor, '{"any": "x"}', "ok").text == '{"any": "x"}'


def test_allowed_values_are_kept_as_wholes(make_redactor: Make) -> None:
    """An allowed value excuses itself, not what stands beside it."""
    redactor = make_redactor(allowed_values=[r"[a-z]+@mycompany\.com", "none"])
    assert cleaned(redactor, "a@mycompany.com wrote b@example.com").text == "a@mycompany.com wrote <EMAIL_ADDRESS>"
    assert cleaned(redactor, "xa@mycompany.com.evil.org").text == "<EMAIL_ADDRESS>"
    assert cleaned(redactor, "none", "password").text == "none"
    assert cleaned(redactor, "hunter2", "password").text == "<BLOCKED_KEY>"


def test_a_slow_expression_of_the_policy_fails_closed(make_redactor: Make) -> None:
    """Keys come from outside: one that keeps an expression busy is blocked, and no key is ignored for it."""
    slow, key = "(x|xx)+[0-9]", "x" * 60
    assert cleaned(make_redactor(blocked_key_patterns=[slow]), "v", key).text == "<BLOCKED_KEY>"
    assert cleaned(make_redactor(ignored_key_patterns=[slow]), "a@example.com", key).text == "<EMAIL_ADDRESS>"


def test_secrets_can_be_switched_off(make_redactor: Make) -> None:
    """And personal data stays on."""
    redactor = make_redactor(secrets={"enabled": False})
    assert cleaned(redactor, "ghp_" + "a1B2" * 9 + " a@example.com").text == "ghp_" + "a1B2" * 9 + " <EMAIL_ADDRESS>"


def test_texts_over_the_limit_are_withheld(make_redactor: Make) -> None:
    """Measured in bytes of UTF-8, and before anything looks into them."""
    redactor = make_redactor(presidio={"max_text_bytes": 1024})
    assert cleaned(redactor, "ü" * 512).text == "ü" * 512
    result = cleaned(redactor, "ü" * 513)
    assert result.text == "<WITHHELD:too_large>"
    assert dict(result.counts) == {"WITHHELD": 1}


def test_long_texts_are_scanned_to_their_end(redactor: Redactor) -> None:
    """In chunks that overlap: an entity on any border is found, and nothing else is touched."""
    for offset in range(4060, 4110, 7):
        text = "word " * (offset // 5) + "z" * (offset % 5) + " jane.doe@example.com " + "tail " * 2000
        assert cleaned(redactor, text).text == text.replace("jane.doe@example.com", "<EMAIL_ADDRESS>")
    solid = "x" * 10_000 + " jane.doe@example.com"
    assert cleaned(redactor, solid).text == "x" * 10_000 + " <EMAIL_ADDRESS>"


def test_lookup_answers_what_is_known(redactor: Redactor, make_redactor: Make) -> None:
    """Harmless short texts at once; texts with candidates after they were cleaned; never a guess."""
    fresh = make_redactor()
    assert fresh.lookup("The order was shipped", "k") == Cleaned(text="The order was shipped")
    assert fresh.lookup("write a@example.com", "k") is None
    fresh.clean_now([("write a@example.com", "k")])
    known = fresh.lookup("write a@example.com", "k")
    assert known is not None
    assert known.text == "write <EMAIL_ADDRESS>"
    assert fresh.lookup('{"a": "b"}', "k") == Cleaned(text='{"a": "b"}')
    assert fresh.lookup('{"password": "b"}', "k") is None


def test_the_cache_tells_keys_with_different_meaning_apart(make_redactor: Make) -> None:
    """The same text is an account number under one key and a count under another, in either order."""
    redactor = make_redactor()
    for key, text in [("count", "12345678901"), ("savings", "<US_BANK_NUMBER>"), ("count", "12345678901")]:
        assert cleaned(redactor, "12345678901", key).text == text
    assert cleaned(redactor, "a@example.com", "x").text == "<EMAIL_ADDRESS>"
    assert cleaned(redactor, "a@example.com", "user.id").text.startswith("<EMAIL_ADDRESS:")


def test_the_cache_stays_within_its_bytes(make_redactor: Make) -> None:
    """Old texts go, what is in use stays, and no cache at all works too."""
    redactor = make_redactor(cache_bytes=200_000)
    for number in range(2_000):
        redactor.lookup(f"text number {'word ' * 20} {number}", "k")
        assert redactor.lookup("in use", "k") is not None
    assert redactor._cache.size_bytes <= 200_000
    assert 100 < len(redactor._cache) < 1000
    none = make_redactor(cache_bytes=0)
    assert cleaned(none, "a@example.com").text == "<EMAIL_ADDRESS>"
    assert len(none._cache) == 0


def test_the_same_policy_and_key_give_the_same_results(make_redactor: Make) -> None:
    """From process to process."""
    items = [("jane@example.com", "user.id"), ('{"a": ["4111111111111111"]}', None), ("x" * 5000 + " +1 415 555 0132", "k")]
    assert make_redactor().clean_now(items) == make_redactor().clean_now(items)


def test_lone_surrogates_and_nul_are_texts_like_others(redactor: Redactor) -> None:
    """JSON can escape what UTF-8 cannot say."""
    assert cleaned(redactor, "\ud800 a@example.com \0").text == "\ud800 <EMAIL_ADDRESS> \0"
    assert json.loads(cleaned(redactor, '["\\ud800 a@example.com"]').text) == ["\ud800 <EMAIL_ADDRESS>"]


def test_a_large_document_does_not_stop_the_event_loop(make_redactor: Make) -> None:
    """Other requests go on while a megabyte of JSON is taken apart."""
    text = json.dumps([{"role": "user", "content": f"message number {number} of many"} for number in range(40_000)])

    async def run() -> tuple[str, int]:
        redactor = make_redactor()
        task = asyncio.create_task(redactor.clean([(text, "gen_ai.input.messages")]))
        turns = 0
        while not task.done():
            await asyncio.sleep(0.005)
            turns += 1
        await redactor.close()
        return (await task)[0].text, turns

    result, turns = asyncio.run(run())
    assert result == text
    assert turns >= 5


def test_a_call_is_freed_with_its_last_user(make_redactor: Make) -> None:
    """Whoever left it to the garbage collector would keep the texts of minutes in memory."""
    redactor = make_redactor()
    items = [('{"to": ["jane@example.com", "fine"]}', "input.value"), ("plain", None)]
    composition = redactor._asked(items, None)
    redactor._answers(composition, items, {})
    kept = weakref.ref(composition)
    del composition
    assert kept() is None
