"""Canaries: personal data and credentials that stand nowhere else, each found again by a needle that all of its kind share.

The same for every run, put together here so that the repository holds none of them. A control word stands beside them: it names nobody
and must come through.
"""

import random
import string
from dataclasses import dataclass

SEED = 20261121
_LETTERS = string.ascii_letters + string.digits
_BASE64 = _LETTERS + "+/"


@dataclass(frozen=True)
class Canaries:
    """What is looked for afterwards, by kind; `text(number)` holds one of each kind and the control word of that number."""

    domain: str
    card_prefix: str
    token_infix: str
    pem_lines: tuple[str, ...]
    short_mail: str

    @property
    def needles(self) -> dict[str, str]:
        lines = {f"private key {number}": line for number, line in enumerate(self.pem_lines)}
        return {"mail": self.domain, "card": self.card_prefix, "token": self.token_infix, "mail in an id": self.short_mail, **lines}

    def mail(self, number: int) -> str:
        return f"u{number}@{self.domain}"

    def card(self, number: int) -> str:
        return with_check_digit(f"{self.card_prefix}{number:05d}")

    def token(self, number: int) -> str:
        return f"glpat-{self.token_infix}{number:04d}"

    def pem(self) -> list[str]:
        return [f"-----BEGIN {'PRIVATE'} KEY-----", *self.pem_lines, f"-----END {'PRIVATE'} KEY-----"]

    def text(self, number: int) -> str:
        return f"{control(number)} {self.mail(number)} {self.card(number)} {self.token(number)} ends"


def control(number: int) -> str:
    """The control word of a number."""
    return f"harmless{number:05d}word"


def canaries() -> Canaries:
    """The canaries of this repository."""
    rng = random.Random(SEED)
    return Canaries(
        domain="".join(rng.choices(string.ascii_lowercase, k=14)) + ".com",
        card_prefix="4" + "".join(rng.choices(string.digits, k=9)),
        token_infix="".join(rng.choices(_LETTERS, k=16)),
        pem_lines=tuple("".join(rng.choices(_BASE64, k=64)) for _ in range(3)),
        short_mail=f"q{rng.randrange(10)}@{''.join(rng.choices(string.ascii_lowercase, k=2))}.io",
    )


def with_check_digit(digits: str) -> str:
    """Append the digit that makes a card number valid (Luhn, ISO/IEC 7812-1)."""
    total = sum(sum(divmod(int(digit) * (2 if place % 2 == 0 else 1), 10)) for place, digit in enumerate(reversed(digits)))
    return digits + str(-total % 10)
