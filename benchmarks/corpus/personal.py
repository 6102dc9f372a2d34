"""How people and programs write personal data: the sentences, fields, tables and addresses of the web around each kind of value."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from urllib.parse import quote

from benchmarks.corpus import filler, finance, people
from benchmarks.corpus.layouts import fields, log_fields, python_dict, query, rows, table
from benchmarks.corpus.letters import digits
from benchmarks.corpus.marks import mark

Make = Callable[[Random], str]


@dataclass(frozen=True, slots=True)
class Datum:
    """A kind of personal data. `bare` forms are only told from other numbers by the word beside them, as are all when `named`."""

    entity: str
    make: Make
    names: tuple[str, ...]
    sentences: tuple[str, ...]
    bare: Make | None = None
    named: bool = False


DATA = (
    Datum(
        "EMAIL_ADDRESS",
        people.email,
        ("email", "contact_email", "Email", "to", "user_email", "recipient", "login", "mail", "reply_to", "owner"),
        ("Please write to {} about it.", "Contact: {}", "I sent the invoice to {}, and to accounting.", "<{}>", "mailto:{}",
            "The account ({}) is locked.", "cc {};", "'{}'",
         "user={} logged in", "Signed-off-by: {}", "“{}” bounced", "The owner is {}.", "{}", "[write us](mailto:{})", "login:{}",
         "reset link sent to {}!"),
    ),
    Datum(
        "CREDIT_CARD",
        finance.card,
        ("card_number", "cardNumber", "pan", "credit_card", "cc", "card", "payment_card", "number"),
        ("My card is {}, valid thru 09/27.", "Please charge {} instead.", "card={}", "Card number: {}", "({})", "I paid with {}.",
            "Visa {} exp 11/28 cvv ***", "{}", "PAN:{}", "\"{}\""),
    ),
    Datum(
        "PHONE_NUMBER",
        people.phone,
        ("phone", "phone_number", "mobile", "tel", "contact_phone", "Phone", "cell", "fax", "whatsapp"),
        ("Call me at {}.", "Phone: {}", "My number is {}, after six.", "tel:{}", "({})", "Reach the customer on {} or by mail.",
            "mobile={}", "SMS to {} failed", "WhatsApp {}", "{}", "T: {} | F: none"),
        people.bare_phone,
    ),
    Datum(
        "US_SSN",
        people.ssn,
        ("ssn", "social_security_number", "SSN", "ssn_number", "taxpayer_ssn"),
        ("My SSN is {}.", "SSN: {}", "Social security number {} on file.", "the applicant's social security no. is {}", "ssn={}", "({})",
            "{}", "SSN#{}"),
        people.bare_ssn,
    ),
    Datum(
        "US_ITIN",
        people.itin,
        ("itin", "ITIN", "individual_taxpayer_id", "tax_id"),
        ("My ITIN is {}.", "ITIN: {}", "Individual taxpayer identification number {}.", "itin={}", "Use the ITIN ({}) on form 1040-NR.",
            "{}"),
        people.bare_itin,
    ),
    Datum(
        "IBAN_CODE",
        finance.iban,
        ("iban", "IBAN", "account_iban", "beneficiary_iban", "payout_account"),
        ("Please transfer to {}.", "IBAN: {}", "IBAN {}, BIC on request", "The refund goes to {} within three days.", "iban={}", "({})",
            "{}", "Konto/IBAN:{}", "\"{}\""),
    ),
    Datum(
        "CRYPTO",
        finance.bitcoin,
        ("btc_address", "wallet", "bitcoin_address", "payout_address", "address"),
        ("Send it to {}.", "BTC: {}", "My wallet is {}", "bitcoin:{}?amount=0.01", "wallet={}", "({})", "{}", "\"{}\""),
    ),
    Datum(
        "US_BANK_NUMBER",
        finance.bank_number,
        ("bank_account_number", "account_number", "checking_account", "bank_account"),
        ("My bank account number is {}.", "Account number: {}", "Checking account {} at First National Bank.",
            "Please deposit to bank account {}.", "account no. {}, savings", "Bank acct # {}"),
        named=True,
    ),
    Datum(
        "US_PASSPORT",
        people.passport,
        ("passport_number", "passport", "us_passport", "passportNumber"),
        ("My passport number is {}.", "Passport: {}", "US passport {} expires 2031.", "passport no. {}", "Passport # {} (USA)",
            "travel document: passport {}"),
        named=True,
    ),
    Datum(
        "US_DRIVER_LICENSE",
        people.driver_license,
        ("driver_license", "drivers_license_number", "driver_license_number", "dl_number", "driverLicense"),
        ("Driver's license: {}", "My driver license number is {}.", "driver's license no. {}", "DL# {}",
            "Driving license {} issued in 2019.", "license number (driver): {}"),
        named=True,
    ),
    Datum(
        "UK_NHS",
        people.nhs,
        ("nhs_number", "nhsNumber", "nhs", "NHS number"),
        ("NHS number: {}", "The patient's NHS number is {}.", "NHS No. {}", "nhs={}", "Referral for NHS {} received."),
        named=True,
    ),
    Datum(
        "MEDICAL_LICENSE",
        people.medical_license,
        ("dea_number", "medical_license", "prescriber_dea", "medical_license_number"),
        ("DEA number: {}", "The prescriber's DEA is {}.", "Medical license {} is active.", "medical license number {}", "DEA# {}",
            "Prescribed under DEA registration {}."),
        named=True,
    ),
)  # fmt: skip


def text_of(rng: Random, datum: Datum) -> tuple[str, str | None, str]:
    """Return a marked text about one kind of personal data, the attribute it stands under if that matters, and how it is written."""
    style, write = rng.choice(STYLES)
    text = write(rng, datum)
    return text, None, style


def value(rng: Random, datum: Datum, *, beside_its_name: bool) -> str:
    """Return a marked value; only beside its name one that needs it."""
    make = datum.bare if datum.bare and beside_its_name and rng.random() < 0.2 else datum.make
    return mark(datum.entity, make(rng))


def prose(rng: Random, datum: Datum) -> str:
    said = rng.choice(datum.sentences)
    parts = [filler.sentence(rng), said.format(value(rng, datum, beside_its_name=False)), filler.sentence(rng)]
    return rng.choice((" ", " ", "\n", "\r\n", "\n\n")).join(parts[rng.randint(0, 1) : rng.randint(2, 3)])


def chat_line(rng: Random, datum: Datum) -> str:
    """A line somebody typed: small letters, no punctuation."""
    return rng.choice(datum.sentences).lower().format(value(rng, datum, beside_its_name=False))


def record(rng: Random, datum: Datum) -> str:
    """An object, a YAML mapping, a form: names and values."""
    pairs = [
        ("id", digits(rng, 5)),
        (rng.choice(datum.names), value(rng, datum, beside_its_name=True)),
        ("status", rng.choice(("active", "open", "paid"))),
    ]
    return fields(rng, pairs)


def database(rng: Random, datum: Datum) -> str:
    """Rows of a table, whose header has the name."""
    header = ["id", rng.choice(datum.names), "status"]
    return rows(
        rng,
        header,
        [[str(at), value(rng, datum, beside_its_name=False), rng.choice(("open", "paid"))] for at in range(1, rng.randint(3, 6))],
    )


def markdown(rng: Random, datum: Datum) -> str:
    return table(["field", "value"], [["id", digits(rng, 4)], [rng.choice(datum.names), value(rng, datum, beside_its_name=True)]])


def log_line(rng: Random, datum: Datum) -> str:
    pairs = [
        ("event", "profile_updated"),
        (rng.choice(datum.names), value(rng, datum, beside_its_name=True)),
        ("request_id", filler.identifier(rng)),
    ]
    return log_fields(rng, pairs)


def url(rng: Random, datum: Datum) -> str:
    """An address of the web, percent-escaped as it must be."""
    escaped = mark(datum.entity, quote(datum.make(rng), safe=""))
    name = rng.choice(datum.names).replace(" ", "_")
    if datum.entity == "EMAIL_ADDRESS" and rng.random() < 0.4:
        return f"GET /v1/users/{mark(datum.entity, datum.make(rng))}/orders HTTP/1.1"
    return f"https://{filler.host(rng)}/v2/lookup?{query(rng, name, escaped)}"


def arguments(rng: Random, datum: Datum) -> str:
    return python_dict(rng, [(rng.choice(datum.names), value(rng, datum, beside_its_name=True)), ("limit", "10")])


def customer(rng: Random, datum: Datum) -> str:
    """A person object: the name beside the other data."""
    pairs = [
        ("name", mark("PERSON", people.name(rng))),
        ("email", mark("EMAIL_ADDRESS", people.email(rng))),
        (rng.choice(datum.names), value(rng, datum, beside_its_name=True)),
    ]
    return fields(rng, [("customer_id", digits(rng, 6)), *pairs])


STYLES: tuple[tuple[str, Callable[[Random, Datum], str]], ...] = (
    ("prose", prose),
    ("prose", prose),
    ("chat-line", chat_line),
    ("record", record),
    ("record", record),
    ("rows", database),
    ("markdown-table", markdown),
    ("log-fields", log_line),
    ("url", url),
    ("python-dict", arguments),
    ("person-object", customer),
)
