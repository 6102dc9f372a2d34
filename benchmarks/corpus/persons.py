"""Names of people, only where the words or the key around them say that it is one."""

from random import Random

from benchmarks.corpus import filler, people
from benchmarks.corpus.layouts import fields, log_fields, python_dict
from benchmarks.corpus.marks import mark

KEYS = (
    "customer_name",
    "first_name",
    "last_name",
    "full_name",
    "patient",
    "patient_name",
    "user.full_name",
    "contact_name",
    "employee_name",
    "cardholder_name",
)
SAID = (
    "Dear {},\n\n", "Hello, my name is {} and I have a question.", "My name is {}. ", "Dear Ms. {},\r\n", "Dr. {} signed the report.",
    "Mr. {} called twice.", "Mrs. {} agreed.",
    "Prof. {} will attend.", "Hi, my name is {}, my order is delayed.", "Dear {}, thank you for your order.", "Kind regards from Dr. {}",
)  # fmt: skip


def text_of(rng: Random) -> tuple[str, str | None, str]:
    """Return a marked text with a person's name, the attribute key it stands under (None: any), and how it is written."""
    style = rng.randrange(6)
    if style == 0:
        return mark("PERSON", people.name(rng)), rng.choice(KEYS), "attribute"
    if style == 1:
        return f"{rng.choice(SAID).format(mark('PERSON', people.name(rng)))} {filler.sentence(rng)}", None, "salutation"
    if style == 2:
        return fields(rng, [("first_name", _first(rng)), ("last_name", _last(rng)), ("plan", "pro")]), None, "record"
    if style == 3:
        return python_dict(rng, [(_key(rng), mark("PERSON", people.name(rng))), ("limit", "10")]), None, "python-dict"
    if style == 4:
        return log_fields(rng, [("event", "signup"), (_key(rng), mark("PERSON", people.name(rng))), ("plan", "pro")]), None, "log-fields"
    person = [
        ("name", mark("PERSON", people.name(rng))),
        ("email", mark("EMAIL_ADDRESS", people.email(rng))),
        ("phone", mark("PHONE_NUMBER", people.phone(rng))),
    ]
    return fields(rng, [("customer_id", str(rng.randint(1000, 9999))), *person]), None, "person-object"


def _key(rng: Random) -> str:
    return rng.choice(KEYS[:1] + KEYS[3:6] + KEYS[7:])


def _first(rng: Random) -> str:
    return mark("PERSON", rng.choice(people.FIRST))


def _last(rng: Random) -> str:
    return mark("PERSON", rng.choice(people.LAST))
