"""Values of personal data that are about money: cards of all networks, accounts, addresses of Bitcoin."""

from random import Random

from benchmarks.corpus.letters import ALNUM, DIGITS, UPPER, UPPER_ALNUM, base58check, bech32, digits, five_bits, luhn_digit, of
from benchmarks.corpus.people import FULLWIDTH, spaced

NETWORKS = (
    (("4",), 16), (("4",), 16), (("51", "52", "53", "54", "55"), 16), (("2221", "2345", "2550", "2699", "2720"), 16), (("34", "37"), 15),
    (("6011", "644", "649", "65"), 16), (("300", "305", "36", "38"), 14), (("3528", "3541", "3589"), 16), (("6221", "6228", "6250"), 16),
    (("6212", "6282"), 19), (("5018", "5020", "5038", "6304"), 16), (("2200", "2204"), 16), (("6521", "8175", "5085"), 16), (("9792",), 16),
)  # fmt: skip
"""Prefixes and lengths: Visa, Mastercard, its 2-series, American Express, Discover, Diners, JCB, UnionPay, Maestro, Mir, RuPay, Troy."""
IBANS = {
    "DE": "18n", "GB": "4a14n", "FR": "10n11c2n", "ES": "20n", "IT": "1a10n12c", "NL": "4a10n", "BE": "12n", "CH": "5n12c", "AT": "16n",
    "PL": "24n",
    "SE": "20n", "NO": "11n", "DK": "14n", "FI": "14n", "PT": "21n", "IE": "4a14n", "LU": "3n13c", "CZ": "20n", "SK": "20n", "HU": "24n",
    "RO": "4a16c",
    "BG": "4a6n8c", "GR": "7n16c", "HR": "17n", "SI": "15n", "EE": "16n", "LV": "4a13c", "LT": "16n", "MT": "4a5n18c", "CY": "8n16c",
    "SA": "2n18c",
    "AE": "19n", "IL": "19n", "QA": "4a21c", "KW": "4a22c", "BH": "4a14c", "JO": "4a4n18c", "PK": "4a16c", "KZ": "3n13c", "GE": "2a16n",
    "MC": "10n11c2n",
    "LI": "5n12c", "IS": "22n", "RS": "18n", "GI": "4a15c", "AD": "8n12c", "SM": "1a10n12c", "BR": "23n1a1c", "TR": "6n16c", "UA": "6n19c",
}  # fmt: skip
"""The national part by country (SWIFT IBAN registry): n digits, a capitals, c both."""


def card_digits(rng: Random) -> str:
    """Return a card number that passes Luhn."""
    prefixes, length = rng.choice(NETWORKS)
    body = (prefix := rng.choice(prefixes)) + of(rng, DIGITS, length - len(prefix) - 1)
    return body + luhn_digit(body)


def card(rng: Random) -> str:
    """Return a card number, grouped as on the card or not."""
    number = card_digits(rng)
    style = rng.random()
    if style < 0.35:
        return number.translate(FULLWIDTH) if rng.random() < 0.05 else number
    cuts = {14: (4, 10), 15: (4, 10), 16: (4, 8, 12), 19: (4, 8, 12, 16)}[len(number)]
    pieces = [number[a:b] for a, b in zip((0, *cuts), (*cuts, None), strict=True)]
    return spaced(rng, ("-" if style < 0.5 else " ").join(pieces))


def iban(rng: Random) -> str:
    """Return an account number whose check digits are right (ISO 13616), grouped by four or not."""
    country = rng.choice(list(IBANS))
    national, count = "", ""
    for c in IBANS[country]:
        if c.isdigit():
            count += c
            continue
        alphabet = {"n": DIGITS, "a": UPPER, "c": DIGITS if rng.random() < 0.5 else UPPER_ALNUM}[c]
        national, count = national + of(rng, alphabet, int(count)), ""
    number = "".join(str(int(c, 36)) for c in national + country + "00")
    whole = f"{country}{98 - int(number) % 97:02}{national}"
    style = rng.random()
    if style < 0.5:
        return whole
    grouped = " ".join(whole[at : at + 4] for at in range(0, len(whole), 4))
    return grouped.replace(" ", "-") if style < 0.53 else grouped.replace(" ", "\u00a0") if style < 0.58 else grouped


def bitcoin(rng: Random) -> str:
    """Return an address of Bitcoin: P2PKH, P2SH, P2WPKH, P2WSH or taproot."""
    style = rng.randrange(5)
    if style < 2:
        return base58check(bytes([0x00 if style == 0 else 0x05]) + rng.randbytes(20))
    program = rng.randbytes(20 if style == 2 else 32)
    version, constant = (1, 0x2BC830A3) if style == 4 else (0, 1)
    address = bech32("bc", [version, *five_bits(program)], constant)
    return address.upper() if rng.random() < 0.05 else address


def bank_number(rng: Random) -> str:
    """Return the number of a US account."""
    return digits(rng, rng.choice((8, 9, 10, 10, 11, 12, 12, 14, 17)))


def reference(rng: Random) -> str:
    """Return the reference of a payment, which tells nothing."""
    return rng.choice(("INV", "PO", "REF")) + "-" + of(rng, ALNUM.upper(), 3) + str(rng.randint(100, 999))
