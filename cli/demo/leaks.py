"""What the leaking agent leaks: a test looks for these values in everything that the demo wrote.

They are put together at run time, from a digest where they are keys, so that the source holds nothing that looks like a secret
or like a person. `CONTROL` is planted beside them and is harmless: a scan that does not find it cannot see.
"""

import base64
import hashlib
import string
from typing import Final

_ALPHABET: Final = string.ascii_letters + string.digits


def _random_looking(name: str, length: int, alphabet: str = _ALPHABET) -> str:
    """Return `length` characters that look random and are the same each time."""
    stream = b"".join(hashlib.sha256(f"auditlake demo {name} {block}".encode()).digest() for block in range(length // 32 + 1))
    return "".join(alphabet[byte % len(alphabet)] for byte in stream[:length])


def _card(prefix: str, length: int) -> str:
    """Return a card number with a valid check digit (Luhn)."""
    body = prefix + _random_looking(prefix, length - len(prefix) - 1, string.digits)
    doubled = [int(digit) * (2 - index % 2) for index, digit in enumerate(reversed(body))]
    return body + str(-sum(number - 9 if number > 9 else number for number in doubled) % 10)


def _private_key() -> str:
    body = base64.b64encode(_random_looking("pem", 96).encode()).decode()
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    frame = "-" * 5
    kind = "PRIVATE" + " KEY"
    return "\n".join([f"{frame}BEGIN {kind}{frame}", *lines, f"{frame}END {kind}{frame}"])


CONTROL: Final = "marigold-control-" + "7431"

EMAIL: Final = "maren.holt" + "@" + "mail.example.com"
SECOND_EMAIL: Final = "t.okonkwo" + "@" + "accounts.example.org"
CARD: Final = _card("4", 16)
CARD_WITH_SPACES: Final = " ".join((second := _card("51", 16))[start : start + 4] for start in range(0, 16, 4))
OPENAI_KEY: Final = "sk-" + "proj-" + _random_looking("openai", 48)
ANTHROPIC_KEY: Final = "sk-" + "ant-api03-" + _random_looking("anthropic", 80)
AWS_KEY_ID: Final = "AK" + "IA" + _random_looking("aws", 16, string.ascii_uppercase + "234567")
GITHUB_TOKEN: Final = "gh" + "p_" + _random_looking("github", 36)
PRIVATE_KEY: Final = _private_key()

LEAKS: Final = (
    EMAIL,
    SECOND_EMAIL,
    CARD,
    CARD_WITH_SPACES,
    OPENAI_KEY,
    ANTHROPIC_KEY,
    AWS_KEY_ID,
    GITHUB_TOKEN,
    PRIVATE_KEY.splitlines()[1],  # the key itself: its frame is no secret
)
