"""Random strings of the alphabets that identifiers and credentials are made of, and the checksums some of them carry."""

import base64
import hashlib
import string
import zlib
from random import Random

DIGITS = string.digits
LOWER = string.ascii_lowercase
UPPER = string.ascii_uppercase
LETTERS = string.ascii_letters
ALNUM = string.digits + string.ascii_uppercase + string.ascii_lowercase
UPPER_ALNUM = string.digits + string.ascii_uppercase
LOWER_ALNUM = string.digits + string.ascii_lowercase
URL_SAFE = ALNUM + "_-"
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"  # pragma: allowlist secret
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"  # pragma: allowlist secret
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # pragma: allowlist secret


def of(rng: Random, alphabet: str, length: int) -> str:
    """Return a random string of an alphabet."""
    return "".join(rng.choices(alphabet, k=length))


def hexadecimal(rng: Random, length: int) -> str:
    return of(rng, "0123456789abcdef", length)


def digits(rng: Random, length: int) -> str:
    """Return a decimal number that begins with no zero."""
    return str(rng.randint(1, 9)) + of(rng, DIGITS, length - 1)


def token(rng: Random, alphabet: str, length: int) -> str:
    """Return a random string that begins and ends with a letter or digit, so that a double click selects it whole."""
    ends = alphabet.replace("-", "").replace("_", "").replace(".", "").replace("~", "")
    return of(rng, ends, 1) + of(rng, alphabet, length - 2) + of(rng, ends, 1)


def base64_of(rng: Random, size_bytes: int) -> str:
    return base64.b64encode(rng.randbytes(size_bytes)).decode()


def base64url_of(rng: Random, size_bytes: int) -> str:
    return base64.urlsafe_b64encode(rng.randbytes(size_bytes)).decode().rstrip("=")


def base62(number: int, width: int) -> str:
    """Return a number in base 62, digits before capitals before small letters."""
    out = ""
    while number:
        number, rest = divmod(number, 62)
        out = ALNUM[rest] + out
    return out.rjust(width, "0")


def crc_token(rng: Random, prefix: str) -> str:
    """Return a token as GitHub and npm make them: prefix, 30 random characters, six of the CRC32 of these in base 62."""
    body = of(rng, ALNUM, 30)
    return prefix + body + base62(zlib.crc32(body.encode()), 6)


def luhn_digit(number: str) -> str:
    """Return the check digit (ISO/IEC 7812-1, annex B) that follows the number."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return str(-total % 10)


def base58check(payload: bytes) -> str:
    """Return bytes in Bitcoin's Base58Check."""
    data = payload + hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    number, out = int.from_bytes(data, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        out = BASE58[rest] + out
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + out


def bech32(prefix: str, values: list[int], constant: int) -> str:
    """Return 5-bit values in Bech32 (BIP 173, constant 1) or Bech32m (BIP 350)."""
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    check = _polymod([*expanded, *values, 0, 0, 0, 0, 0, 0]) ^ constant
    sums = [(check >> 5 * (5 - place)) & 31 for place in range(6)]
    return prefix + "1" + "".join(BECH32[value] for value in [*values, *sums])


def five_bits(data: bytes) -> list[int]:
    """Return bytes as 5-bit values, padded with zeros."""
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    return [int(bits[at : at + 5], 2) for at in range(0, len(bits), 5)]


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if (top >> place) & 1 else 0
    return check
