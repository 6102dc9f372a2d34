"""Keys and values in text that is no JSON: what the policy says about a key holds there, too, as far as a value can be told."""

import time
from collections.abc import Callable

import pytest

from redaction import pairs
from redaction.redactor import Redactor

Make = Callable[..., Redactor]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{'customer_name': 'Jane Doe', 'n': 3}", "{'customer_name': '<PERSON>', 'n': 3}"),
        ("{'password': 'hunter2', 'ok': True}", "{'password': '<BLOCKED_KEY>', 'ok': True}"),
        ("{'password': ['a', {'b': ')'}], 'n': 1}", "{'password': <BLOCKED_KEY>, 'n': 1}"),
        ("Result: {\"customer_name\": \"Jane Doe\"} done", "Result: {\"customer_name\": \"<PERSON>\"} done"),
        ("got {\\\"customer_name\\\": \\\"Jane Doe\\\"}", "got {\\\"customer_name\\\": \\\"<PERSON>\\\"}"),
        ("Customer(name='Jane Doe', ssn='078-05-1120', tier='gold')", "Customer(name='<PERSON>', ssn='<US_SSN>', tier='gold')"),
        ("Customer(id=7, first_name=\"Jane\")", "Customer(id=7, first_name=\"<PERSON>\")"),
        ("{'dob': '1980-05-01', 'cvv': 123}", "{'dob': '<DATE_OF_BIRTH>', 'cvv': <CARD_SECURITY_CODE>}"),
        ("{'name': 'jane doe', 'email': 'x'}", "{'name': '<PERSON>', 'email': 'x'}"),
        ("{'a': u'x', 'surname': u'Doe'}", "{'a': u'x', 'surname': u'<PERSON>'}"),
        ("login password=hunter2 done", "login password=<BLOCKED_KEY> done"),
        ("ssn=078-05-1120;mrn=12345", "ssn=<US_SSN>;mrn=<MEDICAL_RECORD>"),
        ("see `?first_name=Jane`", "see `?first_name=<PERSON>`"),
        ("authorization=b'Bearer x'", "authorization=b'<BLOCKED_KEY>'"),
        ("password: correct-horse", "password: <BLOCKED_KEY>"),
        ("{'secret': {'type': 'opaque', 'value': 'x'}}", "{'secret': <BLOCKED_KEY>}"),
        ("{'secret': {'type': 'string', 'default': 'x'}}", "{'secret': <BLOCKED_KEY>}"),
        ("/search?first_name=Jane&q=x", "/search?first_name=<PERSON>&q=x"),
        ("WHERE surname = 'Doe' AND id = 7", "WHERE surname = '<PERSON>' AND id = 7"),
        ("Name: Jane Doe\nOrder: 7", "Name: <PERSON>\nOrder: 7"),
        ("Address: 12 Main St, Springfield\nTotal: 5", "Address: <ADDRESS>\nTotal: 5"),
        ("- **Date of birth**: 1980-05-01", "- **Date of birth**: <DATE_OF_BIRTH>"),
        ("Patient: Jane Doe\nMRN: 123456", "Patient: <PERSON>\nMRN: <MEDICAL_RECORD>"),
        ("{'customer_name': 'Jane Do", "{'customer_name': '<PERSON>"),
    ],
)  # fmt: skip
def test_values_behind_keys(redactor: Redactor, text: str, expected: str) -> None:
    """Quoted, named, labelled, escaped and cut off."""
    assert redactor.clean_now([(text, None)])[0].text == expected


@pytest.mark.parametrize(
    "text",
    [
        "{'name': 'get_weather', 'description': 'Jane Doe', 'arguments': {}}",
        "Tool(name='Customer Lookup')",
        "first_name = first_name",
        "def create(name=None, address=None, phone='')",
        "Column('first_name', String), address=\"string\"",
        "password = get_password()",
        "password = password_field",
        "BasicAuth(password=password, cookies=cookies)",
        "SHORTEST_SECRET_CHARS = 4",
        "authorization=f'Bearer {x}'",
        "headers = {'Authorization': f'Bearer {token}'}",
        "  apiKey: process.env.API_KEY,",
        "    secretName: api-gateway-tls",
        "secret: api-gateway-tls",
        "api_key_id: 22139",
        "password_min_length = 76",
        'api_key = "xxxxxxxxxxxxxxxx"',
        'client_secret: "your-client-secret"',
        "api_key: YOUR_API_KEY",
        "password: !vault |",
        "password: ********",
        "{'sb_secret': 403}",
        "{'password': {'type': 'string', 'minLength': 8}, 'api_key': {'description': 'API key'}}",
        'tool \\"password\\": {\\"type\\": \\"string\\"}',
        "authorization_endpoint: /oauth/authorize",
        "has_password = True",
        "secretary: yes",
        "remote_addr: str = '12 x'",
        "[{'name': 'canary'}, " + " " * 300 + "{'email': 'x', 'phone': 'y'}]",
        "if token == other: name = 'get-weather'",
        "server address: 127.0.0.1",
        "Address: see below",
        "User: Hello World",
        "Assistant: Thank You",
        "Name: get_weather",
        "Password: must have eight characters",
        "Note: Account: premium",
        "phone = iphone",
        "The name: it depends",
        "x == y, a => b",
    ],
)
def test_code_and_prose_stay(redactor: Redactor, text: str) -> None:
    """A key in a text proves less than a key in JSON."""
    assert redactor.clean_now([(text, None)])[0].text == text


def test_receipts_and_positions(redactor: Redactor) -> None:
    """The rule is the policy's; offsets are those of the text, also behind escapes."""
    (result,) = redactor.clean_now([('got {\\"customer_name\\": \\"Jane Doe\\"}', None)])
    assert result.receipts == {("PERSON", "policy/sensitive_keys", ""): 1}
    (finding,) = result.findings
    assert 'got {\\"customer_name\\": \\"Jane Doe\\"}'[finding.start : finding.end] == "Jane Doe"


def test_key_rules_of_the_policy_hold_in_text(make_redactor: Make) -> None:
    """What a key rule takes whole is taken out under the rule's entity, by the action of that entity."""
    redactor = make_redactor(actions={"keys": [{"pattern": "^badge$", "action": "mask", "entity": "BADGE"}]})
    assert redactor.clean_now([("badge='4711'", None)])[0].text == "badge='<BADGE>'"
    assert make_redactor(sensitive_keys={"enabled": False}).clean_now([("ssn='1234'", None)])[0].text == "ssn='1234'"


@pytest.mark.parametrize(
    "text",
    [
        "'a':'" * 40_000, "\"password\":[" * 20_000, "a=" * 50_000, "x" * 100_000 + "=", "name: " * 20_000,
        "\n" * 100_000, "'k': \"" * 20_000,
        ("a" * 60 + " ") * 2_000 + ":", "\\\"" * 50_000, "- " * 50_000, "password=(" * 20_000,
    ],
)  # fmt: skip
def test_linear_time(redactor: Redactor, text: str) -> None:
    """Texts come from outside."""
    begun = time.process_time()
    list(pairs.find(text, redactor._rules))
    assert time.process_time() - begun < 3
