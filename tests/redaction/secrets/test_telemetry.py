"""Ordinary telemetry holds no credentials, and hardly ever their shapes: ids, digests, times, versions, code, prose."""

import base64
import random
import string
import uuid
from collections.abc import Callable

import pytest
import regex

from redaction.context import context
from redaction.secrets import RULES, SecretRule

RNG = random.Random(23)
PER_KIND = 60
NAMES = regex.findall(
    r"\w+",
    """
    account agent answer api async batch cache call chunk client config content count cursor data embedding error event file first handler
    index input item last limit list manager max message model name next order output page prompt query queue request response result retry
    role score server service set state status step stream system task tokens tool total type user value vector worker
    """,
)


def _of(alphabet: str) -> Callable[[int], str]:
    return lambda count: "".join(RNG.choice(alphabet) for _ in range(count))


_hex, _word = _of("0123456789abcdef"), _of(string.ascii_letters + string.digits)
_ulid, _url = _of("0123456789ABCDEFGHJKMNPQRSTVWXYZ"), _of(string.ascii_letters + string.digits + "_-")


def _name() -> str:
    return RNG.choice(NAMES)


def _uuid() -> str:
    return str(uuid.UUID(int=RNG.getrandbits(128), version=4))


def _snake() -> str:
    return "_".join(_name() for _ in range(RNG.randrange(2, 5)))


def _kebab() -> str:
    return _snake().replace("_", "-")


def _camel() -> str:
    first, *others = _snake().split("_")
    return first + "".join(other.capitalize() for other in others)


KINDS: dict[str, Callable[[], str]] = {
    "trace": lambda: _hex(32),
    "span": lambda: _hex(16),
    "commit": lambda: _hex(40),
    "digest": lambda: "sha256:" + _hex(64),
    "integrity": lambda: "sha512-" + base64.b64encode(RNG.randbytes(64)).decode(),
    "uuid": _uuid,
    "ulid": lambda: "01" + _ulid(24),
    "nanoid": lambda: _url(21),
    "object id": lambda: _hex(24),
    "completion": lambda: "chatcmpl-" + _word(29),
    "tool call": lambda: f"call_{_word(24)}",
    "message": lambda: f"msg_01{_word(22)}",
    "tool use": lambda: f"toolu_01{_word(22)}",
    "response": lambda: f"resp_{_hex(48)}",
    "run": lambda: f"run_{_word(24)}",
    "thread": lambda: f"thread_{_word(24)}",
    "customer": lambda: f"cus_{_word(14)}",
    "payment": lambda: f"pi_3{_word(23)}",
    "traceparent": lambda: f"00-{_hex(32)}-{_hex(16)}-01",
    "role": lambda: f"arn:aws:iam::{RNG.randrange(10**11, 10**12)}:role/{_camel()}",
    "pod": lambda: f"{_kebab()}-{_hex(10)}-{_hex(5)}",
    "image": lambda: f"registry.example.com/{_kebab()}:{_hex(12)}@sha256:{_hex(64)}",
    "etag": lambda: f'W/"{_hex(32)}"',
    "time": lambda: f"2026-03-1{RNG.randrange(9)}T12:{RNG.randrange(10, 60)}:33.{RNG.randrange(10**6):06d}Z",
    "epoch": lambda: str(RNG.randrange(1_700_000_000_000, 1_800_000_000_000)),
    "version": lambda: f"{RNG.randrange(30)}.{RNG.randrange(30)}.{RNG.randrange(99)}-rc.{RNG.randrange(9)}+{_hex(7)}",
    "path": lambda: "/" + "/".join(_snake() for _ in range(4)) + ".py",
    "object": lambda: f"s3://bucket/{_snake()}/2026/01/02/{RNG.randrange(10**11)}_{_word(16)}.json.gz",
    "url": lambda: f"https://api.example.com/v1/{_kebab()}/{_uuid()}?page={RNG.randrange(99)}&{_snake()}={_camel()}&cursor={_word(20)}",
    "camel": _camel,
    "snake": _snake,
    "kebab": _kebab,
    "constant": lambda: _snake().upper(),
    "call": lambda: f"{_camel()}({_snake()}={_camel()}, {_snake()}={RNG.randrange(99)})",
    "assignment": lambda: f"self.{_snake()} = {_snake()}.{_camel()}({_snake()})",
    "script": lambda: f"const {_camel()} = await {_camel()}.{_camel()}({{ {_camel()}: process.env.{_snake().upper()}, {_camel()} }});",
    "types": lambda: f"{_snake()}: Optional[str] = None, {_snake()}: {_camel().capitalize()} = Field(default={RNG.randrange(9)})",
    "json": lambda: (
        f'{{"{_snake()}": "{_camel()}", "id": "{_uuid()}", "{_snake()}_tokens": {RNG.randrange(10**6)}, "{_camel()}Id": "{_hex(24)}"}}'
    ),
    "pairs": lambda: f"{_snake()}={_kebab()} {_snake()}={RNG.randrange(10**9)} trace_id={_hex(32)}",
    "log": lambda: f"INFO {_snake()}: {_name()} {_name()} took {RNG.randrange(999)}ms request_id={_uuid()} tokens={RNG.randrange(9999)}",
    "prose": lambda: f"The {_name()} of the {_name()} was {_name()}, and {RNG.randrange(99)} {_name()} were passed on to the {_name()}.",
    "about tokens": lambda: (
        f"used {RNG.randrange(9999)} tokens of the {_name()} key points; the secret to a good {_name()} is the {_name()}"
    ),
    "not set": lambda: (
        f"{RNG.choice(['api_key', 'token', 'password'])}={RNG.choice(['None', '${TOKEN}', 'YOUR_API_KEY', 'sk-...', '****'])}"
    ),
}
TEXTS = [(kind, make()) for kind, make in KINDS.items() for _ in range(PER_KIND)]
TALKS_ABOUT_SECRETS = {"about tokens", "not set"}


@pytest.fixture(scope="module")
def compiled() -> list[tuple[SecretRule, object, object]]:
    """The rules with their expressions and shapes."""
    return [(rule, regex.compile(rule.expression), regex.compile(rule.shape)) for rule in RULES]


def test_telemetry_holds_no_credentials(compiled: list[tuple[SecretRule, regex.Pattern[str], regex.Pattern[str]]]) -> None:
    """Nothing is found in thousands of ids and lines, without their keys' words or with ordinary ones."""
    found = [
        (kind, rule.name)
        for rule, expression, shape in compiled
        for kind, text in TEXTS
        if shape.search(text)
        for match in expression.finditer(text)
        if (rule.accept is None or rule.accept(match.group())) and (not rule.context or context(rule.context).near(text, match.start(), ()))
    ]
    assert found == []


def test_hardly_any_telemetry_has_to_be_looked_at(compiled: list[tuple[SecretRule, regex.Pattern[str], regex.Pattern[str]]]) -> None:
    """Shapes are what the prefilter looks for: one text in fifty may have one, beside a word that its rule needs."""
    looked_at = {
        text
        for rule, _, shape in compiled
        for kind, text in TEXTS
        if kind not in TALKS_ABOUT_SECRETS and shape.search(text) and (not rule.context or _has_word(rule.context, text))
    }
    assert len(looked_at) <= 0.02 * len(TEXTS)


def _has_word(words: tuple[str, ...], text: str) -> bool:
    """Whether the first word of a phrase stands in the text: what the prefilter asks."""
    there = set(regex.findall(r"[^\W_]+", text.lower()))
    return any(word.split(" ")[0] in there for word in words)
