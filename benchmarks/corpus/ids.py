"""Negatives that are counted: identifiers, hashes, numbers and addresses of machines, kind by kind. None is personal or secret."""

import base64
import json
import uuid
from collections.abc import Callable
from random import Random

from benchmarks.corpus import filler, finance
from benchmarks.corpus.letters import (
    ALNUM,
    DIGITS,
    LOWER_ALNUM,
    UPPER,
    UPPER_ALNUM,
    base64_of,
    digits,
    hexadecimal,
    luhn_digit,
    of,
)  # fmt: skip

Make = Callable[[Random], str]


def one_of(*makes: Make) -> Make:
    return lambda rng: rng.choice(makes)(rng)


def hexes(*lengths: int) -> Make:
    return lambda rng: hexadecimal(rng, rng.choice(lengths))


def prefixed(prefixes: str, alphabet: str, *lengths: int) -> Make:
    """Return a maker of ids such as `req_…`: one of the prefixes, and random characters."""
    return lambda rng: rng.choice(prefixes.split()) + of(rng, alphabet, rng.choice(lengths))


def any_uuid(rng: Random) -> str:
    """Return a UUID of any version (RFC 9562), at times in capitals or in braces."""
    bits = rng.getrandbits(128)
    made = str(uuid.UUID(int=bits & ~(0xF << 76) & ~(0x3 << 62) | rng.randint(1, 8) << 76 | 0x2 << 62))
    return rng.choice((made, made, made.upper(), f"{{{made}}}", made.replace("-", "")))


def decimal(low: int, high: int) -> Make:
    return lambda rng: digits(rng, rng.randint(low, high))


def no_card(make: Make) -> Make:
    """Return a maker that leaves out what happens to pass Luhn: those stand in a kind of their own."""

    def again(rng: Random) -> str:
        while (made := make(rng)).isdigit() and 13 <= len(made) <= 19 and luhn_digit(made[:-1]) == made[-1]:
            pass
        return made

    return again


def time_of(rng: Random) -> str:
    """Return a moment in one of the forms that logs and APIs use."""
    when = filler.moment(rng)
    forms = (
        "%Y-%m-%dT%H:%M:%SZ",
        "%Y-%m-%dT%H:%M:%S.%f+00:00",
        "%a, %d %b %Y %H:%M:%S +0000",
        "%Y-%m-%d %H:%M:%S",
        "%d/%b/%Y:%H:%M:%S +0000",
        "%Y%m%dT%H%M%SZ",
        "%Y%m%d%H%M%S",
        "%d.%m.%Y %H:%M",
        "%m/%d/%Y %I:%M %p",
        "%Y-%m-%d",
        "%Y-W%W",
        "%H:%M:%S.%f",
    )
    return when.strftime(rng.choice(forms))


def epoch(rng: Random) -> str:
    """Return a moment as a number: seconds, with a fraction, milli-, micro- or nanoseconds."""
    seconds = int(filler.moment(rng).timestamp())
    return rng.choice(
        (
            str(seconds),
            f"{seconds}.{of(rng, DIGITS, 6)}",
            f"{seconds}{of(rng, DIGITS, 3)}",
            f"{seconds}{of(rng, DIGITS, 6)}",
            f"{seconds}{of(rng, DIGITS, 9)}",
        )
    )


def version(rng: Random) -> str:
    one, two, three, four = (rng.randint(0, 40) for _ in range(4))
    return rng.choice(
        (
            f"{one}.{two}.{three}",
            f"v{one}.{two}.{three}",
            f"{one}.{two}.{three}-rc.{four}",
            f"{one}.{two}.{three}+build.{four}",
            f"{one}.{two}.{three}.{four}",
            f"^{one}.{two}.{three}",
            f"{one}.{two}.0b{four}",
            f"{one}.{two}.{three}.dev{digits(rng, 8)}",
            f"{one}.0.{digits(rng, 4)}.{digits(rng, 3)}",
        )
    )


def price(rng: Random) -> str:
    whole = rng.randint(1, 10 ** rng.randint(1, 7))
    return rng.choice(
        (
            f"${whole:,}.{of(rng, DIGITS, 2)}",
            f"€{whole}.{of(rng, DIGITS, 2)}",
            f"{whole:,} USD".replace(",", "."),
            f"{whole}.{of(rng, DIGITS, 2)}",
            f"£{whole:,}",
            f"{whole:,}.00",
            f"-{whole}.{of(rng, DIGITS, 1)} %",
        )
    )


def ean(rng: Random) -> str:
    """Return an EAN-13 with its check digit; half of them ISBNs, plain or with hyphens."""
    body = rng.choice(("978", "979", "400", "590", "871", "040")) + of(rng, DIGITS, 9)
    whole = body + str(-sum(int(c) * (3 if at % 2 else 1) for at, c in enumerate(body)) % 10)
    return f"{whole[:3]}-{whole[3]}-{whole[4:8]}-{whole[8:12]}-{whole[12]}" if whole.startswith("97") and rng.random() < 0.5 else whole


def chance_card(rng: Random) -> str:
    """Return an order number that passes Luhn and begins like a card: nothing but the words around it tells."""
    return finance.card_digits(rng)


def tracking(rng: Random) -> str:
    return rng.choice(
        (
            "1Z" + of(rng, UPPER_ALNUM, 16),
            "9400" + of(rng, DIGITS, 18),
            of(rng, UPPER, 2) + of(rng, DIGITS, 9) + of(rng, UPPER, 2),
            "JD" + of(rng, DIGITS, 18),
            digits(rng, 12),
            digits(rng, 20),
        )
    )


def booking(rng: Random) -> str:
    return rng.choice(
        (
            of(rng, UPPER_ALNUM, 6),
            f"BK-{of(rng, UPPER_ALNUM, 8)}",
            f"RES{digits(rng, 7)}",
            f"{of(rng, UPPER, 3)}-{digits(rng, 4)}-{of(rng, UPPER_ALNUM, 4)}",
            f"ORD-{digits(rng, 10)}",
            f"INV-2025-{digits(rng, 6)}",
        )
    )


def phone_like(rng: Random) -> str:
    return rng.choice(
        (
            f"#{digits(rng, 10)}",
            f"PO-{digits(rng, 10)}",
            f"SO{digits(rng, 3)}-{digits(rng, 3)}-{digits(rng, 4)}",
            f"{digits(rng, 4)}-{digits(rng, 6)}",
            f"114-{digits(rng, 7)}-{digits(rng, 7)}",
            f"{digits(rng, 5)}/{digits(rng, 5)}",
        )
    )


def coordinate(rng: Random) -> str:
    return rng.choice(
        (
            f"{rng.uniform(-90, 90):.6f}",
            f"{rng.uniform(-180, 180):.4f}",
            f"{rng.uniform(0, 90):.5f},{rng.uniform(0, 180):.5f}",
            f"{rng.randint(0, 89)}°{rng.randint(0, 59)}'{rng.uniform(0, 59):.1f}\"N",
        )
    )


def embedding(rng: Random) -> str:
    return rng.choice((repr(rng.uniform(-1, 1)), f"{rng.gauss(0, 0.05):.8f}", f"{rng.uniform(-1, 1):.7e}", repr(rng.random())))


def ipv4(rng: Random) -> str:
    address = ".".join(str(rng.randint(1, 254)) for _ in range(4))
    return rng.choice((address, f"{address}:{rng.randint(1024, 65535)}", f"{address}/{rng.randint(8, 32)}"))


def ipv6(rng: Random) -> str:
    return rng.choice(
        (
            ":".join(hexadecimal(rng, 4) for _ in range(8)),
            f"2001:db8:{hexadecimal(rng, 4)}::{hexadecimal(rng, 2)}",
            f"fe80::{':'.join(hexadecimal(rng, 4) for _ in range(4))}",
        )
    )


def mac(rng: Random) -> str:
    return rng.choice((":", "-")).join(hexadecimal(rng, 2) for _ in range(6))


def package(rng: Random) -> str:
    name = rng.choice(
        (
            "left-pad",
            "requests",
            "@types/node",
            "opentelemetry-sdk",
            "@babel/core",
            "numpy",
            "react-dom",
            "github.com/stretchr/testify",
            "actions/checkout",
            "serde_json",
        )
    )
    return rng.choice(
        (
            f"{name}@{version(rng)}",
            f"{name}=={rng.randint(0, 9)}.{rng.randint(0, 20)}.{rng.randint(0, 9)}",
            f"{name}-{rng.randint(0, 9)}.{rng.randint(0, 20)}.tar.gz",
            f"{name}@v{rng.randint(1, 9)}",
        )
    )


def model(rng: Random) -> str:
    date = f"202{rng.randint(4, 6)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}"
    return rng.choice(
        (
            f"claude-{rng.choice(('sonnet', 'opus', 'haiku'))}-{rng.randint(3, 5)}-{rng.randint(0, 9)}-{date}",
            f"gpt-{rng.randint(4, 6)}o-mini-{date[:4]}-{date[4:6]}-{date[6:]}",
            f"text-embedding-3-{rng.choice(('small', 'large'))}",
            f"ft:gpt-4o-mini-2024-07-18:acme::{of(rng, ALNUM, 8)}",
            f"meta-llama/Llama-3.{rng.randint(1, 3)}-{rng.randint(8, 405)}B-Instruct",
            f"anthropic.claude-sonnet-4-{date}-v1:0",
        )
    )


def resource(rng: Random) -> str:
    """Return the id of a resource in a cloud."""
    return rng.choice(
        (
            f"arn:aws:lambda:eu-west-1:{digits(rng, 12)}:function:{rng.choice(filler.SERVICES)}",
            f"{rng.choice(('i', 'vpc', 'subnet', 'sg', 'ami', 'vol'))}-0{hexadecimal(rng, 16)}",
            f"projects/acme/locations/eu/keyRings/r{digits(rng, 3)}",
            f"{rng.choice(filler.SERVICES)}-{of(rng, LOWER_ALNUM, 9)}-{of(rng, LOWER_ALNUM, 5)}",
            f"/subscriptions/{filler.identifier(rng)}/resourceGroups/rg-{digits(rng, 3)}",
        )
    )


def data_of_image(rng: Random) -> str:
    return base64.b64encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + rng.randbytes(rng.randint(120, 500))).decode()


def data_of_json(rng: Random) -> str:
    """Return Base64 of JSON in which nothing is secret: a cursor of a paged API."""
    inner = {"offset": rng.randint(0, 9999), "id": of(rng, LOWER_ALNUM, 12), "created_at": filler.stamp(rng)}
    return base64.b64encode(json.dumps(inner).encode()).decode()


def public_key(rng: Random) -> str:
    """Return a public key of SSH or a certificate: made to be shown."""
    if rng.random() < 0.3:
        return f"-----BEGIN CERTIFICATE-----\\nMIID{base64_of(rng, 300)}\\n-----END CERTIFICATE-----"
    return rng.choice(
        (f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{base64_of(rng, 33)[:43]}", f"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAB{base64_of(rng, 258)}")
    )


def security_number(rng: Random) -> str:
    """Return an ISIN (ISO 6166), which looks like a short IBAN."""
    body = rng.choice(("US", "DE", "GB", "FR", "NL", "CH")) + of(rng, UPPER_ALNUM, 9)
    return body + luhn_digit("".join(str(int(c, 36)) for c in body))
