"""What an expression cannot say of a credential: how random it looks, and whether its checksum is right; pure."""

import math
import re
from collections import Counter


def entropy_bits(text: str) -> float:
    counts = Counter(text)
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts.values())


def random_looking(text: str) -> bool:
    """Mixed case and digits, and letters spread like a random key's: no word, no hex digest."""
    return (
        any(char.isdigit() for char in text)
        and any(char.islower() for char in text)
        and any(char.isupper() for char in text)
        and entropy_bits(text) >= 3.5
    )


def has_digit(text: str) -> bool:
    return any(char.isdigit() for char in text)


def key_like(text: str) -> bool:
    """Random letters of both cases, or digits among them; `planning-document` is neither. For a key that letters stand directly before."""
    longest = max(re.split("[-_]", text), key=len)
    mixed = any(char.islower() for char in text) and any(char.isupper() for char in text)
    return (mixed and entropy_bits(text) >= 3.5) or (len(longest) >= 16 and has_digit(longest))


def key_like_or_has_digit(text: str) -> bool:
    return has_digit(text) or key_like(text)
