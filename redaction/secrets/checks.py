"""What an expression cannot say of a credential: how random it looks, whether its checksum is right, whether it stands for one; pure."""

import base64
import binascii
import itertools
import math
import re
import string
import zlib
from collections import Counter
from typing import Final

_BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_CHECKSUM_CHARS: Final = 6


def entropy_bits(text: str) -> float:
    """Return Shannon's entropy of the characters, in bits for each."""
    counts = Counter(text)
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts.values())


def switches(text: str) -> float:
    """Return how often neighbours are of different classes (upper, lower, digit, other): about 0.6 in random text, 0.1 in names."""
    classes = ["d" if char.isdigit() else "u" if char.isupper() else "l" if char.islower() else "o" for char in text]
    return sum(a != b for a, b in itertools.pairwise(classes)) / max(1, len(text) - 1)


def has_digit(text: str) -> bool:
    """Whether a digit is among the characters."""
    return any(char.isdigit() for char in text)


def both_cases(text: str) -> bool:
    """Capitals and small letters."""
    return any(char.islower() for char in text) and any(char.isupper() for char in text)


def mixed(text: str) -> bool:
    """Both cases and a digit."""
    return has_digit(text) and both_cases(text)


def random_looking(text: str) -> bool:
    """Mixed case and digits, and letters spread like a random key's: no word, no hex digest, no path."""
    return mixed(text) and entropy_bits(text) >= 3.5 and switches(text) >= 0.25


def random_letters(text: str) -> bool:
    """The same without a need for a digit, which one random key of 32 characters in three hundred does not have."""
    return random_looking(text) or (both_cases(text) and entropy_bits(text) >= 3.5 and switches(text) >= 0.35)


def base32_key(text: str) -> bool:
    """Small letters and digits of base 32, spread like a random key's."""
    return has_digit(text) and entropy_bits(text) >= 3.5


def random_or_hex(text: str) -> bool:
    """Random letters and digits, whatever their case: a key, a digest or a UUID, but no word and no number."""
    return has_digit(text) and any(char.isalpha() for char in text) and entropy_bits(text) >= 2.8 and switches(text) >= 0.2


def key_like(text: str) -> bool:
    """Random letters of both cases, or digits among them; `planning-document` is neither. For a key that letters stand directly before."""
    longest = max(re.split("[-_]", text), key=len)
    return (both_cases(text) and entropy_bits(text) >= 3.5) or (len(longest) >= 16 and has_digit(longest))


def key_like_or_has_digit(text: str) -> bool:
    """The same for a key that stands alone."""
    return has_digit(text) or key_like(text)


def github_checksum(token: str) -> bool:
    """Whether the last six characters are the CRC-32, in base 62, of the others behind the underscore (GitHub's and npm's tokens)."""
    body = token.partition("_")[2]
    value, digits = zlib.crc32(body[:-_CHECKSUM_CHARS].encode()), ""
    while value:
        value, digit = divmod(value, 62)
        digits = _BASE62[digit] + digits
    return digits.rjust(_CHECKSUM_CHARS, "0") == body[-_CHECKSUM_CHARS:]


def decoded(text: str) -> str | None:
    """Return the printable text that base64 stands for, standard or url-safe, padded or not; None for anything else."""
    try:
        data = base64.b64decode(text.rstrip("=").translate(_STANDARD) + "=" * (-len(text.rstrip("=")) % 4), validate=True)
        meaning = data.decode()
    except (binascii.Error, ValueError):
        return None
    return meaning if meaning.isprintable() else None


_STANDARD: Final = str.maketrans("-_", "+/")


def user_and_password(text: str) -> bool:
    """Whether base64 stands for `user:password`, as in Basic authentication (RFC 7617)."""
    meaning = decoded(text)
    return meaning is not None and ":" in meaning


def snowflake_first(token: str) -> bool:
    """Whether the first part of a dotted token is the base64 of a number, like Discord's, or all of it looks random."""
    meaning = decoded(token.partition(".")[0])
    return (meaning is not None and meaning.isdigit()) or random_looking(token)
