"""What stands in telemetry and is nobody's number: ids, hashes, times, orders, codes, versions, prices, addresses of machines."""

import random
import string
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final

HEX: Final = "0123456789abcdef"
UPPER: Final = string.ascii_uppercase
ALPHANUMERIC: Final = string.ascii_letters + string.digits
BEFORE: Final = (
    "done", "order", "invoice number", "request id", "id", "the number is", "address", "document", "code", "provider", "policy", "member",
    "auth", "authorization", "vehicle", "car", "pass", "registration", "plate", "ticket", "version", "commit", "session", "zip", "billing",
    "tax amount", "claim", "rx bytes", "customer", "reference", "serial number", "case", "routing key", "license", "delivery", "shipping",
    "approval", "epic", "crn", "vat", "sample", "in", "step", "host", "call", "text", "nas",
)  # fmt: skip
"""Words that stand before them; upstream takes many of these for context."""


def tokens(rng: random.Random, of_each: int) -> Iterator[str]:
    """Yield `of_each` tokens of every kind, with a word before each."""
    for make in _kinds(rng):
        for _ in range(of_each):
            yield f"{rng.choice(BEFORE)} {make()} ok"


def _kinds(rng: random.Random) -> tuple[Callable[[], str], ...]:
    def some(alphabet: str, length: int) -> str:
        return "".join(rng.choice(alphabet) for _ in range(length))

    def digits(length: int) -> str:
        return some(string.digits, length)

    def seconds() -> int:
        return rng.randrange(1_400_000_000, 1_900_000_000)

    def time(*formats: str) -> str:
        return datetime.fromtimestamp(seconds(), UTC).strftime(rng.choice(formats))

    return (
        lambda: some(HEX, rng.choice((7, 8, 9, 10, 11, 12, 13, 16, 24, 32, 40, 64))),
        lambda: some(HEX.upper(), rng.choice((8, 12, 16, 32, 64))),
        lambda: str(uuid.UUID(int=rng.getrandbits(128))),
        lambda: str(uuid.UUID(int=rng.getrandbits(128))).upper(),
        lambda: str(seconds()) + digits(rng.choice((0, 3, 6, 9))),
        lambda: time("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S.%f", "%Y%m%d%H%M%S", "%Y%m%d", "%d/%b/%Y:%H:%M:%S", "%Y/%m/%d", "%d/%m/%Y"),
        lambda: time("%y%m%d-%H%M", "%Y%m%d-%H%M%S", "%H:%M:%S,%f", "%Y-%m-%d-%H-%M-%S"),
        lambda: rng.choice("123456789") + digits(rng.randrange(4, 16)),
        lambda: rng.choice(("ORD", "INV", "REQ", "TKT", "PR", "SKU", "PO", "CASE", "A", "T", "X")) + rng.choice("-#_") + digits(9),
        lambda: rng.choice(("INV-", "ORD/", "")) + str(rng.randrange(2018, 2027)) + rng.choice("-/") + digits(rng.randrange(4, 7)),
        lambda: f"{digits(3)}-{digits(7)}-{digits(7)}",
        lambda: some(UPPER, rng.randrange(2, 5)) + rng.choice(("-", "")) + digits(rng.randrange(2, 6)),
        lambda: "01" + some("0123456789ABCDEFGHJKMNPQRSTVWXYZ", 24),
        lambda: rng.choice(("call_", "toolu_01", "chatcmpl-", "msg_01", "run_")) + some(ALPHANUMERIC, 24),
        lambda: some(UPPER + "234567", rng.choice((8, 16, 26))),
        lambda: some(UPPER + string.digits, rng.choice((5, 6, 7, 8, 9, 10))),
        lambda: some(string.ascii_lowercase + string.digits, rng.choice((5, 6, 8, 10, 12))),
        lambda: some(UPPER, rng.randrange(1, 4)) + digits(rng.randrange(1, 5)) + rng.choice(("-", "")) + some(UPPER + string.digits, 4),
        lambda: ".".join(str(rng.randrange(0, 30)) for _ in range(rng.choice((3, 4)))) + rng.choice(("", "-rc1", "+" + some(HEX, 7))),
        lambda: rng.choice(("$", "€", "USD ", "")) + f"{rng.randrange(1, 999_999):,}.{digits(2)}",
        lambda: f"{rng.random() * 10 ** rng.randrange(-3, 9):.{rng.randrange(1, 9)}f}",
        lambda: ".".join(str(rng.randrange(1, 256)) for _ in range(4)) + rng.choice(("", ":8080")),
        lambda: rng.choice(("api", "worker", "agent-runner")) + "-" + some(HEX, 9) + "-" + some("bcdfghjklmnpqrstvwxz2456789", 5),
        lambda: rng.choice(("1Z" + some(UPPER + string.digits, 16), digits(12), digits(20), some(UPPER, 2) + digits(9) + some(UPPER, 2))),
        lambda: f"{rng.randrange(1, 10**7)}{rng.choice((' B', 'KB', 'ms', 's', ' tokens', 'px', 'rpm'))}",
        lambda: rng.choice(("i-0" + some(HEX, 16), "arn:aws:iam::" + digits(12) + ":role/x", "vpc-" + some(HEX, 8))),
        lambda: "/" + "/".join(some(string.ascii_lowercase + string.digits, rng.randrange(3, 9)) for _ in range(3)) + f"/{digits(6)}.py",
    )
