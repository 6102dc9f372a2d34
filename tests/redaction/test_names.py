"""Names that the words around them give away, and the many capitalised words that are none."""

import re
import time

import pytest

from redaction.names import PATTERNS, SHAPES, find


def names(text: str) -> set[str]:
    """What is found in a text."""
    return {text[start:end] for start, end, _ in find(text, ())}


NAMED = [
    ("Dear Jane Doe,\nthank you", "Jane Doe"),
    ("Hi Jane,", "Jane"),
    ("Hey Priya! How are you?", "Priya"),
    ("Good morning Anna, your order", "Anna"),
    ("He wrote: \"Hi Jane, how are you\"", "Jane"),
    ("Hello Mr. Doe", "Doe"),
    ("Hello Dr. Smith, how", "Smith"),
    ("Dr. Doe called", "Doe"),
    ("Prof. García-Márquez said", "García-Márquez"),
    ("Ms. O'Brien's card", "O'Brien"),
    ("Mrs van der Berg", "van der Berg"),
    ("Dear Mr. and Mrs. Smith,", "Smith"),
    ("my name is Jane Doe and", "Jane Doe"),
    ("My name is jane doe", "jane doe"),
    ("My name is jane, hello", "jane"),
    ("my name's Raj Patel, I need", "Raj Patel"),
    ("The customer's name is Ana María López.", "Ana María López"),
    ("call me Bob", "Bob"),
    ("I am Jane Doe and I", "Jane Doe"),
    ("I'm Jane Doe.", "Jane Doe"),
    ("this is Jane Doe from Acme", "Jane Doe"),
    ("Best regards,\nJane Doe", "Jane Doe"),
    ("Thanks,\n- Jane", "Jane"),
    ("Sincerely,\n\nJohn Q. Public\nCEO", "John Q. Public"),
    ("customer: Jane Doe", "Jane Doe"),
    ("Contact: Maria Garcia (HR)", "Maria Garcia"),
    ("Customer name: Émile Zola", "Émile Zola"),
    ("on behalf of Jane Doe", "Jane Doe"),
    ("Patient Jane Doe was seen", "Jane Doe"),
    ("I spoke with Jane Brown today", "Jane Brown"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name"), NAMED)
def test_a_name_is_found(text: str, name: str) -> None:
    """The name, and nothing around it."""
    assert names(text) == {name}


@pytest.mark.parametrize(
    "text",
    [
        "Hi Claude,", "Dear Customer,", "Hello World", "Hi there", "Hi Team,", "Dear Sir or Madam", "Dear Hiring Manager,", "Hi All,",
        "Hello Alexa,", "Hi Support,", "Dear Valued Customer,", "Hello!", "hi jane", "Hey Siri, what",
        "I am Happy To Help", "This is Great News", "I'm Sorry", "I am ChatGPT", "this is New York", "It's Monday Morning",
        "This is Important Information", "I am Python Developer", "I'm Feeling Lucky", "This is The End", "I'm Sarah",
        "Best,\nThe Acme Team", "Best regards,\nCustomer Support", "Thank you\nYour order", "Thanks\nLet me know",
        "Customer Service Agent", "customer: Premium Plan", "Client ID Token", "Client Secret Key", "Guest User Account",
        "Patient Portal Login", "Customer Success Manager", "Employee Handbook Version", "client: python requests",
        "My name is Claude", "My name is Assistant.", "my name is not important", "call me back", "call me later today",
        "The function name is GetWeather", "The tool name is Search", "file name is README", "username: admin",
        "def hello(name): return name", "{\"role\": \"user\"}", "Mr. ", "Dr. 5", "Ms Excel",
        "def main(): print('Hello World')", "Prof services", "St. Louis", "No. 5",
    ],
)  # fmt: skip
def test_no_name_is_found(text: str) -> None:
    """Days, months, products, groups, sentences in capitals."""
    assert names(text) == set()


def test_every_match_has_a_shape() -> None:
    """What the prefilter looks for is in every match: otherwise a text would never be looked at."""
    shapes = [re.compile(shape) for shape in SHAPES]
    texts = [text for text, _ in NAMED] + ["Rev. Ümit", "Herr Özil", "Cardholder named Jane Doe", "c/o Jane Doe", "WELCOME BACK Jane,"]
    for text in texts:
        for pattern in PATTERNS:
            for match in pattern.expression.finditer(text):
                assert any(shape.search(match.group()) for shape in shapes), match.group()
                assert any(word in match.group().lower() for word in pattern.needs), match.group()


def test_shapes_look_around_nothing() -> None:
    """A database of expressions can be built of them."""
    assert not any(re.search(r"\(\?(?:[=!]|<[=!])", shape) for shape in SHAPES)


@pytest.mark.parametrize(
    "text",
    [
        "Dear " * 20_000, "Jane Doe " * 20_000, "\n" * 100_000, "Best,\n" * 20_000, " " * 100_000 + "Hi Jane,", "my name is " * 10_000,
        "A." * 50_000, "A" * 100_000, "Mr. " + "van der " * 20_000, "I am A-A-A-A" * 10_000, "customer: " * 20_000,
        "Patient " + "O'" * 50_000, "Hi " + "J'" * 50_000,
    ],
)  # fmt: skip
def test_linear_time(text: str) -> None:
    """Texts come from outside."""
    begun = time.process_time()
    list(find(text, ()))
    assert time.process_time() - begun < 2
