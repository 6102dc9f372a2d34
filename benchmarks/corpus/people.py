"""Values of personal data that belong to people: names, addresses of mail, telephone numbers, numbers on their documents."""

import unicodedata
from random import Random

from benchmarks.corpus.letters import ALNUM, DIGITS, UPPER, digits, of

FIRST = (
    "Jane", "John", "Maria", "Ahmed", "Wei", "Priya", "Carlos", "Fatima", "Liam", "Olivia", "Noah", "Emma", "Aisha", "Hiroshi", "Yuki",
    "Ananya", "Rahul", "Sofía", "José", "Łukasz", "Agnieszka", "Jürgen", "Zoë", "Chloé", "François", "Björn", "Åsa", "Siobhán", "Nguyễn",
    "Thi", "Kwame", "Amara", "Chinedu", "Oluwaseun", "Dmitri", "Svetlana", "Mehmet", "Elif", "Giulia", "Matteo", "Ingrid", "Lars",
    "Catherine", "Michael", "Rebecca", "Andrew", "Patricia", "Kevin", "Deborah", "Gregory", "Stephanie", "Brian", "Samantha", "Tyrone",
    "Latoya", "Mei-Ling", "Jean-Luc", "Anne-Marie",
)  # fmt: skip
LAST = (
    "Doe", "Smith", "García", "Müller", "Nguyen", "Patel", "Kim", "Okafor", "Johansson", "O'Brien", "Rossi", "Novák", "Kowalski",
    "Yamamoto", "Tanaka", "Chen", "Wang", "Silva", "Santos", "Fernández", "Hernández", "Schmidt", "Weber", "Dubois", "Lefèvre",
    "Andersen", "Hansen", "Virtanen", "Ivanova", "Petrov", "Yılmaz", "Hassan", "Al-Farsi", "Cohen", "Goldberg", "Mbeki", "Adeyemi",
    "Singh", "Sharma", "Gupta", "Reddy", "Thompson", "Washington", "Jefferson", "Martinez", "Robinson", "Whitfield", "MacDonald",
    "Fitzgerald", "Abernathy", "Castellanos", "Bergström",
)  # fmt: skip
PLAIN = str.maketrans({"ł": "l", "Ł": "L", "ø": "o", "ı": "i", "'": "", "-": ""})
MAIL_HOSTS = (
    "gmail.com", "outlook.com", "yahoo.com", "hotmail.co.uk", "icloud.com", "proton.me", "web.de", "gmx.net", "orange.fr", "qq.com",
    "northwind.io", "contoso.com", "mail.brightwater.co.uk", "umea-energi.se", "corp.halvorsen.no", "kanzlei-weber.de", "estudio.com.br",
    "stmarys.nhs.uk", "cs.lakeside.edu", "bayou.agency", "acme-logistics.com", "zenith.health", "alpine.ventures", "kyoto-robotics.co.jp",
    "users.fieldnotes.app", "example.com", "example.org",
)  # fmt: skip
AREA_CODES = (
    "201", "202", "206", "212", "213", "214", "215", "240", "301", "303", "305", "310", "312", "313", "314", "401", "402", "404", "407",
    "408", "410", "412", "415", "416", "425", "469", "502", "503", "504", "512", "516", "602", "603", "604", "612", "614", "615", "617",
    "619", "630", "646", "650", "678", "702", "703", "704", "713", "714", "716", "718", "720", "773", "781", "801", "802", "804", "808",
    "813", "818", "832", "858", "901", "907", "914", "916", "917", "919", "949",
)  # fmt: skip
ABROAD = (
    ("44", "20 7### ####"), ("44", "7400 1#####"), ("44", "7881 2#####"), ("44", "161 4## ####"), ("49", "151 2#######"),
    ("49", "30 2#######"),
    ("49", "89 3#######"), ("33", "6 1# ## ## ##"), ("33", "1 42 ## ## ##"), ("34", "612 ### ###"), ("34", "91 4## ## ##"),
    ("39", "347 ### ####"),
    ("31", "6 1#######"), ("31", "20 6######"), ("32", "475 ## ## ##"), ("41", "79 ### ## ##"), ("41", "44 6## ## ##"),
    ("43", "664 #######"),
    ("46", "70 ### ## ##"), ("47", "412 ## ###"), ("45", "28 ## ## ##"), ("358", "40 #######"), ("48", "601 ### ###"),
    ("351", "912 ### ###"),
    ("353", "87 ### ####"), ("420", "602 ### ###"), ("36", "30 ### ####"), ("40", "722 ### ###"), ("30", "694 ### ####"),
    ("380", "67 ### ####"),
    ("7", "916 ### ## ##"), ("90", "532 ### ## ##"), ("972", "52 ### ####"), ("971", "50 ### ####"), ("966", "50 ### ####"),
    ("20", "100 ### ####"),
    ("27", "82 ### ####"), ("234", "803 ### ####"), ("254", "722 ######"), ("91", "98### #####"), ("92", "300 #######"),
    ("86", "138 #### ####"),
    ("81", "90 3### ####"), ("81", "3 3### ####"), ("82", "10 4### ####"), ("65", "91## ####"), ("852", "92## ####"),
    ("886", "912 ### ###"),
    ("62", "812 #### ###"), ("63", "917 ### ####"), ("66", "81 ### ####"), ("84", "90 ### ## ##"), ("61", "412 ### ###"),
    ("64", "21 ### ####"),
    ("55", "11 9#### ####"), ("52", "55 1### ####"), ("54", "11 4### ####"), ("56", "9 61## ####"), ("57", "301 ### ####"),
)  # fmt: skip
"""Country code and national number; # is a digit."""
LICENSE_STATES = (
    ("CA", "A#######"), ("TX", "########"), ("FL", "A###-###-##-###-#"), ("NY", "### ### ###"), ("IL", "A###-####-####"),
    ("NJ", "A#### ##### #####"),
    ("PA", "## ### ###"), ("OH", "AA######"), ("MI", "A ### ### ### ###"), ("VA", "A########"), ("WA", "AAAAAAA###A#"), ("MA", "S########"),
    ("GA", "#########"), ("CO", "##-###-####"), ("WI", "A###-####-####-##"),
)  # fmt: skip
FULLWIDTH = str.maketrans(DIGITS, "０１２３４５６７８９")


def fill(rng: Random, pattern: str) -> str:
    """Return the pattern with a digit for each # and a capital for each A."""
    return "".join(of(rng, DIGITS, 1) if c == "#" else of(rng, UPPER, 1) if c == "A" else c for c in pattern)


def name(rng: Random) -> str:
    """Return a first and a last name, at times with an initial between them or in capitals."""
    first, last = rng.choice(FIRST), rng.choice(LAST)
    middle = f"{of(rng, UPPER, 1)}. " if rng.random() < 0.1 else ""
    whole = f"{first} {middle}{last}"
    return whole.upper() if rng.random() < 0.04 else whole


def ascii_only(text: str) -> str:
    """Return a name as it stands in an address."""
    return unicodedata.normalize("NFKD", text.translate(PLAIN)).encode("ascii", "ignore").decode()


def email(rng: Random) -> str:
    """Return an address (RFC 5321): dots, tags, numbers, capitals, short and long hosts."""
    first, last = (ascii_only(rng.choice(names)) for names in (FIRST, LAST))
    local = rng.choice(
        (
            f"{first}.{last}",
            f"{first[0]}{last}",
            f"{first}_{last}",
            f"{first}{rng.randint(1, 99)}",
            f"{last}.{first[0]}",
            f"{first}-{last}",
            first,
        )
    )
    if rng.random() < 0.75:
        local = local.lower()
    if rng.random() < 0.12:
        local += "+" + rng.choice(("news", "billing", "2024", "test.1", "amzn"))
    host = rng.choice(MAIL_HOSTS)
    return f"{local}@{host.upper() if rng.random() < 0.04 else host}"


def spaced(rng: Random, text: str) -> str:
    """Return a grouped number with the separators that texts really have; at times in fullwidth digits."""
    chance = rng.random()
    if chance < 0.06:
        return text.replace(" ", "\u00a0")
    if chance < 0.10:
        return text.replace(" ", "\u202f")
    if chance < 0.13:
        return text.replace(" ", "\u2009")
    return text.translate(FULLWIDTH) if chance < 0.16 else text


def phone(rng: Random) -> str:
    """Return a number that is written so that it needs no word beside it: international with +, or grouped as in the US."""
    return foreign_phone(rng) if rng.random() < 0.5 else us_phone(rng)


def foreign_phone(rng: Random) -> str:
    """Return a number of the E.164 plan, grouped or not."""
    country, pattern = rng.choice(ABROAD)
    national = fill(rng, pattern)
    style = rng.randrange(5)
    if style == 0:
        return f"+{country}{national.replace(' ', '')}"
    if style == 1:
        return f"+{country}-{national.replace(' ', '-')}"
    if style == 2:
        area, rest = national.split(" ", 1)
        return spaced(rng, f"+{country} ({area}) {rest}")
    return spaced(rng, f"+{country} {national}")


def us_parts(rng: Random) -> tuple[str, str, str]:
    """Return area code, exchange and line of a North American number."""
    exchange = "555" if rng.random() < 0.08 else f"{rng.randint(2, 9)}{rng.randint(2, 9)}{rng.randint(0, 9)}"
    return rng.choice(AREA_CODES), exchange, of(rng, DIGITS, 4)


def us_phone(rng: Random) -> str:
    area, exchange, line = us_parts(rng)
    forms = (
        f"({area}) {exchange}-{line}", f"{area}-{exchange}-{line}", f"{area}.{exchange}.{line}", f"+1 {area} {exchange} {line}",
        f"+1{area}{exchange}{line}",
        f"+1 ({area}) {exchange}-{line}", f"1-{area}-{exchange}-{line}", f"+1-{area}-{exchange}-{line}", f"({area}){exchange}-{line}",
    )  # fmt: skip
    return spaced(rng, rng.choice(forms))


def bare_phone(rng: Random) -> str:
    """Return a number that only the word beside it tells from others."""
    area, exchange, line = us_parts(rng)
    return rng.choice((f"{area}{exchange}{line}", f"{area} {exchange} {line}", f"1{area}{exchange}{line}"))


def ssn(rng: Random) -> str:
    """Return a number the SSA can have issued: no area 000, 666 or 9xx, no group 00, no serial 0000."""
    area = rng.choice((rng.randint(1, 665), rng.randint(667, 899)))
    return spaced(rng, f"{area:03}-{rng.randint(1, 99):02}-{rng.randint(1, 9999):04}")


def bare_ssn(rng: Random) -> str:
    return ssn(rng).replace("-", rng.choice(("", " ")))


def itin(rng: Random) -> str:
    """Return a number of the IRS: 9xx, with a group of 50–65, 70–88, 90–92 or 94–99."""
    group = rng.choice([*range(50, 66), *range(70, 89), 90, 91, 92, *range(94, 100)])
    return f"9{of(rng, DIGITS, 2)}-{group}-{of(rng, DIGITS, 4)}"


def bare_itin(rng: Random) -> str:
    return itin(rng).replace("-", rng.choice(("", " ")))


def passport(rng: Random) -> str:
    """Return a US passport number: nine digits, or since 2021 a letter and eight digits."""
    return digits(rng, 9) if rng.random() < 0.5 else of(rng, UPPER, 1) + of(rng, DIGITS, 8)


def driver_license(rng: Random) -> str:
    return fill(rng, rng.choice(LICENSE_STATES)[1])


def nhs(rng: Random) -> str:
    """Return an NHS number: ten digits, the last the weighted sum modulo 11."""
    while True:
        body = digits(rng, 9)
        check = 11 - sum(int(digit) * (10 - place) for place, digit in enumerate(body)) % 11
        if check != 10:
            number = body + str(check % 11)
            return number if rng.random() < 0.4 else spaced(rng, f"{number[:3]} {number[3:6]} {number[6:]}")


def medical_license(rng: Random) -> str:
    """Return a DEA number: registrant type, first letter of the name, six digits and their check digit."""
    body = of(rng, DIGITS, 6)
    check = (sum(map(int, body[::2])) + 2 * sum(map(int, body[1::2]))) % 10
    return rng.choice("ABFGM") + rng.choice(UPPER) + body + str(check)


def user_name(rng: Random) -> str:
    """Return a technical user, which is no personal datum."""
    return rng.choice(("app", "svc_orders", "readonly", "admin", "postgres", "etl", "deploy", "reporting", "agent", "root")) + rng.choice(
        ("", "", of(rng, ALNUM, 2))
    )
