"""Values whose key stands elsewhere: in a label, an element of a page, the argument before."""

import json
import random
import string

import pytest

from redaction.redactor import Redactor

RNG = random.Random(21)
VALUE = "k4" + "".join(RNG.choices(string.ascii_letters + string.digits, k=9))


@pytest.mark.parametrize(
    "value",
    [
        {"field": "ssn", "value": VALUE + "1234"},
        {"label": "Password", "value": VALUE},
        {"value": VALUE, "label": "Password"},
        {"name": "password", "label": "Your secret word", "value": VALUE},
        {"element": "Password field", "ref": "e3", "text": VALUE},
        {"selector": "#password", "text": VALUE},
        {"selector": "input[name='password']", "value": VALUE},
        {"column": "password", "value": VALUE},
        {"k": "password", "v": VALUE},
        {"ParameterKey": "DbPassword", "ParameterValue": VALUE},
        {"command": "npx", "args": ["-y", "server", "--api-key", VALUE]},
        ["mysql", "--db-password", VALUE, "--verbose"],
        {"headers": [["Accept", "*/*"], ["Authorization", VALUE]]},
    ],
)
def test_what_says_what_a_value_is(redactor: Redactor, value: object) -> None:
    """Forms, browsers' tools, arguments of commands, lists of headers."""
    redactor.clean_now([("warm up", None)])  # from now on harmless texts are told without a scan
    cleaned = redactor.clean_now([(json.dumps(value), None)])[0].text
    assert VALUE not in cleaned
    assert json.loads(cleaned) != value


@pytest.mark.parametrize(
    "value",
    [
        {"type": "text", "text": "Hello world 12"},
        {"label": "Name", "value": "Weather Agent"},
        {"label": "cookie policy", "text": "We use cookies"},
        {"required": ["username", "password", "email"]},
        ["docker", "run", "--name", "build1", "--token-type", "bearer", "--password", "--verbose"],
        {"element": "Submit button", "ref": "e1", "text": "OK now"},
        {"element": {"role": "form"}, "text": "fine"},
        {"selector": "h1.title", "text": "Jane Doe's page"},
        {"embedding": [0.25, -1, 3]},
        [["a", 1], ["b", 2]],
    ],
)
def test_what_says_nothing_changes_nothing(redactor: Redactor, value: object) -> None:
    """Names of fields in lists, texts of pages, options without a value."""
    assert json.loads(redactor.clean_now([(json.dumps(value), None)])[0].text) == value
