"""Made-up personal data and credentials of every kind that is looked for, with right checksums; seeded, standard library only.

What they look like comes from public documentation, not from the rules that have to find them.
"""

import base64
import hashlib
import json
import string
import uuid
from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType
from typing import Final

Maker = Callable[[Random], str]

NAMES: Final = ("jane", "omar", "li", "maria.garcia", "o'brien", "j_smith", "anna-lena", "josé", "Zoë", "山田", "x")
DOMAINS: Final = ("example.com", "example.org", "mail.example.co.uk", "corp.internal", "exämple.de", "sub.domain.example.io", "acme.test")
BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
LETTERS_DIGITS: Final = string.ascii_letters + string.digits
HEX: Final = "0123456789abcdef"


def drawn(chance: Random, alphabet: str, length: int) -> str:
    """Return `length` random characters of an alphabet."""
    return "".join(chance.choices(alphabet, k=length))


def digits(chance: Random, length: int) -> str:
    """Return a random number of so many digits."""
    return drawn(chance, string.digits, length)


def email(chance: Random) -> str:
    tag = chance.choice(("", "+tag", str(chance.randrange(99))))
    return f"{chance.choice(NAMES)}{tag}@{chance.choice(DOMAINS)}"


def card(chance: Random) -> str:
    prefix, length = chance.choice((("4", 16), ("51", 16), ("2221", 16), ("34", 15), ("6011", 16), ("36", 14), ("3528", 16), ("62", 19)))
    body = prefix + digits(chance, length - len(prefix) - 1)
    total = sum(sum(divmod(2 * int(digit), 10)) for digit in body[::-2]) + sum(map(int, body[-2::-2]))
    number = body + str(-total % 10)
    separator = chance.choice(("", "", " ", "-", "\u00a0", "."))
    return separator.join(number[at : at + 4] for at in range(0, len(number), 4))


def phone(chance: Random) -> str:
    area, middle, last = chance.choice(("212", "415", "646", "303")), digits(chance, 3), digits(chance, 4)
    middle = "5" + middle[1:]
    form = chance.choice(("({}) {}-{}", "{}-{}-{}", "+1 {} {} {}", "{}.{}.{}", "+1{}{}{}", "{}{}{}", "1-{}-{}-{} ext. 12"))
    foreign = f"+{chance.choice(('44 20 7946 0', '49 30 1234', '33 1 42 68 ', '91 98765 '))}{digits(chance, 3)}"
    return form.format(area, middle, last) if chance.random() < 0.8 else foreign


def ssn(chance: Random) -> str:
    separator = chance.choice(("-", "-", " ", "", "."))
    return separator.join((str(chance.randrange(1, 899)).zfill(3), str(chance.randrange(1, 99)).zfill(2), digits(chance, 4)))


def itin(chance: Random) -> str:
    separator = chance.choice(("-", " ", ""))
    return f"9{digits(chance, 2)}{separator}{chance.choice(('70', '71', '88', '90', '50', '94'))}{separator}{digits(chance, 4)}"


def iban(chance: Random) -> str:
    country, body = chance.choice((("DE", digits(chance, 18)), ("GB", "WEST" + digits(chance, 14)), ("FR", digits(chance, 23))))
    as_number = "".join(str(int(char, 36)) for char in body + country + "00")
    number = f"{country}{98 - int(as_number) % 97:02}{body}"
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4)) if chance.random() < 0.5 else number


def bitcoin(chance: Random) -> str:
    payload = bytes([chance.choice((0, 5))]) + chance.randbytes(20)
    data = payload + hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    number, text = int.from_bytes(data), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def segwit(chance: Random) -> str:
    """A version 0 address (BIP 173)."""
    bits = "".join(f"{byte:08b}" for byte in chance.randbytes(20))
    data = [0, *(int(bits[at : at + 5], 2) for at in range(0, 160, 5))]
    check = 1
    for value in (3, 3, 0, 2, 3, *data, 0, 0, 0, 0, 0, 0):
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> bit & 1 else 0
    check ^= 1
    return "bc1" + "".join(BECH32[each] for each in (*data, *(check >> 5 * (5 - at) & 31 for at in range(6))))


def nhs(chance: Random) -> str:
    while True:
        body = digits(chance, 9)
        check = 11 - sum(int(digit) * weight for digit, weight in zip(body, range(10, 1, -1), strict=True)) % 11
        if check != 10:
            number = body + str(check % 11)
            return chance.choice((number, f"{number[:3]} {number[3:6]} {number[6:]}"))


def dea(chance: Random) -> str:
    body = digits(chance, 6)
    check = sum(map(int, body[::2])) + 2 * sum(map(int, body[1::2]))
    return f"{chance.choice('ABFM')}{chance.choice(string.ascii_uppercase)}{body}{check % 10}"


def jwt(chance: Random) -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": digits(chance, 8), "iat": chance.randrange(10**9)})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join((*encoded, drawn(chance, LETTERS_DIGITS + "-_", 43)))


def private_key(chance: Random) -> str:
    label = chance.choice(("", "RSA ", "EC ", "OPENSSH ")) + "PRIVATE KEY"
    lines = [drawn(chance, LETTERS_DIGITS + "+/", 64) for _ in range(chance.randrange(1, 24))]
    return chance.choice(("\n", "\\n", "\r\n")).join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----"))


_PREFIXED: Final = (
    *(("sk-", 48), ("sk-proj-", 80), ("sk-ant-api03-", 95), ("ghp_", 36), ("gho_", 36), ("github_pat_", 82), ("glpat-", 20), ("hf_", 34)),
    *(("npm_", 36), ("pypi-AgEIcHlwaS5vcmc", 70), ("xoxb-123456789012-123456789012-", 24), ("sk_live_", 24), ("rk_live_", 24)),
    *(("whsec_", 32), ("SG.", 22), ("key-", 32), ("dop_v1_", 64), ("dapi", 32), ("hvs.", 24), ("AIza", 35), ("ya29.", 60), ("AC", 32)),
    *(("SK", 32), ("shpat_", 32), ("lin_api_", 40), ("gsk_", 52), ("r8_", 37), ("pk_test_", 24), ("EAAC", 80), ("sq0atp-", 22)),
    ("xapp-1-A", 60),
)  # fmt: skip


def token(chance: Random) -> str:
    prefix, length = chance.choice(_PREFIXED)
    alphabet = HEX if prefix in {"dapi", "dop_v1_", "key-", "AC", "SK", "shpat_"} else LETTERS_DIGITS
    return prefix + drawn(chance, alphabet, length)


def aws_key(chance: Random) -> str:
    key = chance.choice(("AKIA", "ASIA")) + drawn(chance, string.ascii_uppercase + "234567", 16)
    return key if chance.random() < 0.5 else f"{key}\naws_secret_access_key = {drawn(chance, LETTERS_DIGITS + '/+', 40)}"


def assignment(chance: Random) -> str:
    name = chance.choice(("password", "api_key", "DB_PASS", "clientSecret", "token", "AZURE_OPENAI_API_KEY", "x-api-key", "secret", "pwd"))
    sign = chance.choice(("=", ": ", " = ", '": "', " => ", ":="))
    return f"{name}{sign}{drawn(chance, LETTERS_DIGITS + '!@#$-_', chance.choice((8, 16, 32, 40)))}"


def url_with_password(chance: Random) -> str:
    scheme = chance.choice(("postgres", "https", "redis", "mongodb+srv", "amqp", "ftp"))
    return f"{scheme}://{chance.choice(('app', 'jane', ''))}:{drawn(chance, LETTERS_DIGITS + '%', 12)}@db.example.com:5432/main"


def header(chance: Random) -> str:
    basic = base64.b64encode(f"user:{drawn(chance, LETTERS_DIGITS, 12)}".encode()).decode()
    secret = drawn(chance, LETTERS_DIGITS + "-_.", 40)
    return chance.choice(
        (
            f"Authorization: Bearer {secret}", f"authorization: Basic {basic}", f"Cookie: sessionid={secret}; theme=dark",
            f"X-Api-Key: {secret}", f"https://example.com/cb?code={secret}&state=1", f"curl -u admin:{secret[:12]} https://example.com",
        )
    )  # fmt: skip


ENTITIES: Final[Mapping[str, Maker]] = MappingProxyType({
    "email": email, "card": card, "phone": phone, "ssn": ssn, "itin": itin, "iban": iban, "bitcoin": bitcoin, "segwit": segwit,
    "nhs": nhs, "dea": dea, "passport": lambda chance: f"{chance.choice(string.ascii_uppercase)}{digits(chance, 8)}",
    "license": lambda chance: f"{chance.choice(string.ascii_uppercase)}{digits(chance, 7)}",
    "account": lambda chance: digits(chance, chance.randrange(8, 17)), "ip": lambda chance: ".".join(digits(chance, 2) for _ in range(4)),
    "uuid": lambda chance: str(uuid.UUID(int=chance.getrandbits(128), version=4)), "jwt": jwt, "private key": private_key,
    "token": token, "aws": aws_key, "assignment": assignment, "url": url_with_password, "header": header,
})  # fmt: skip


def any_entity(chance: Random) -> str:
    """Return one of any kind."""
    return ENTITIES[chance.choice(tuple(ENTITIES))](chance)
