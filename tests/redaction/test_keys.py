"""Keys that say what their value is: in the spellings that people use, in every place that has keys, and never at a machine's cost."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from redaction.keys import Handling
from redaction.policy import RedactionConfig
from redaction.policy_defaults import KEY_ENTITIES
from redaction.redactor import Redactor
from redaction.rules import Rules
from redaction.sensitive_keys import ENTITIES, sensitive

ROOT = Path(__file__).resolve().parents[2]
Make = Callable[..., Redactor]


def document(redactor: Redactor, value: object) -> Any:
    """What is stored of a JSON document."""
    return json.loads(redactor.clean_now([(json.dumps(value, ensure_ascii=False), None)])[0].text)


@pytest.mark.parametrize(
    ("entity", "keys"),
    [
        (
            "PERSON",
            "customer_name customerName CustomerName customer-name customer.name CUSTOMER_NAME fullName full_name fullname firstname",
        ),
        (
            "PERSON",
            "given_name last-name surname patient.name contact_person cardholder beneficiary vorname nachname prénom apellido names",
        ),
        ("ADDRESS", "address street shipping_address billingAddress addr1 address_line_2 zip zipCode postal-code addresses anschrift plz"),
        ("DATE_OF_BIRTH", "dob birth_date dateOfBirth birthday DOB date-of-birth geburtsdatum"),
        ("US_SSN", "ssn social_security_number SSN socialSecurityNumber user.ssn"),
        ("NATIONAL_ID", "national_id nationalInsuranceNumber id_card_number aadhaar dni"),
        ("PASSPORT", "passport_no passportNumber passport"),
        ("DRIVER_LICENSE", "driver_license driversLicenseNumber license_plate"),
        ("TAX_ID", "tax_id taxId steuernummer"),
        ("ACCOUNT", "account account_number accountNo acct_no routing_number sort-code kontonummer bankAccountNumbers"),
        ("IBAN_CODE", "iban ibanNumber customer_iban"),
        ("CREDIT_CARD", "cardNumber card_no credit_card pan creditCardNumber"),
        ("CARD_SECURITY_CODE", "cvv cvc cvv2 card_cvc pin"),
        ("CARD_EXPIRY", "card_expiry exp_month expiryYear"),
        ("PHONE_NUMBER", "phone phoneNumber mobile fax home_phone phone_numbers telefon tel"),
        ("EMAIL_ADDRESS", "email e-mail emailAddress contact_email user.email"),
        ("MEDICAL_RECORD", "mrn medical_record_number medicalRecordNo"),
    ],
)
def test_keys_in_the_spellings_of_people(entity: str, keys: str) -> None:
    """Snake, camel, kebab, dots, capitals, plurals, numbers behind, with more words before."""
    found = {key: known.entity if (known := sensitive(key)) else None for key in keys.split()}
    assert found == dict.fromkeys(keys.split(), entity)


NOT_SENSITIVE = """
    ip_address server.address client.address net.peer.address mac_address memory_address tool_name toolName agent.name
    gen_ai.tool.name model
    model_name function.name service.name file_name filename table_name status description type id count total amount balance currency price
    address_id account_id phone_model pin_count panel family_size user_agent user.id username_field account_type namespace rename hostname
    llm.input_messages.1.message.name content role input output query city country language version timestamp created_at date expires_at
    expiry token_count max_tokens temperature messages tool_call_id session_id conversation_id trace_id finish_reason service_account
"""


@pytest.mark.parametrize("key", NOT_SENSITIVE.split())
def test_keys_of_telemetry_are_left_alone(key: str) -> None:
    """What only ends or begins like a sensitive key is none."""
    assert sensitive(key) is None


def test_the_policy_knows_every_entity_of_keys() -> None:
    """So that actions can name them."""
    assert ENTITIES == KEY_ENTITIES


@pytest.mark.parametrize("value", ["x", "jane doe", "J", "日本", "o'x-7", "<b>", "12"])
def test_a_sensitive_value_goes_whatever_it_looks_like(redactor: Redactor, value: str) -> None:
    """In JSON and under an attribute; escapes hide nothing."""
    assert document(redactor, {"customer_name": value}) == {"customer_name": "<PERSON>"}
    assert redactor.clean_now([(value, "customer.name")])[0].text == "<PERSON>"
    escaped = "".join(f"\\u{ord(char):04x}" for char in value)
    assert redactor.clean_now([(f'{{"customer_name": "{escaped}"}}', None)])[0].text == '{"customer_name": "<PERSON>"}'


def test_values_of_every_type(redactor: Redactor) -> None:
    """Each leaf of an object or array goes, numbers become strings; truth values, null and empty strings say nothing."""
    assert document(
        redactor,
        {
            "address": {"street": "12 Main St", "geo": {"lat": 52.1, "floor": 3}, "primary": True, "note": None, "unit": ""},
            "phones": ["555-0100", 5550100, None],
            "cvv": 123,
            "ssn": {"last4": "1120"},
            "dob": {"year": 1980, "month": 5},
            "order": {"id": 7, "total": 12.5},
        },
    ) == {
        "address": {"street": "<ADDRESS>", "geo": {"lat": "<ADDRESS>", "floor": "<ADDRESS>"}, "primary": True, "note": None, "unit": ""},
        "phones": ["<PHONE_NUMBER>", "<PHONE_NUMBER>", None],
        "cvv": "<CARD_SECURITY_CODE>",
        "ssn": {"last4": "<US_SSN>"},
        "dob": {"year": "<DATE_OF_BIRTH>", "month": "<DATE_OF_BIRTH>"},
        "order": {"id": 7, "total": 12.5},
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"name": "Jane Doe"}, "<PERSON>"),
        ({"name": "Jane"}, "<PERSON>"),
        ({"name": "jane doe", "email": "x"}, "<PERSON>"),
        ({"name": "Dr. Jane van der Berg"}, "<PERSON>"),
        ({"name": "JANE DOE", "status": "active"}, "<PERSON>"),
        ({"name": "Jane Brown", "id": 7, "role": "admin"}, "<PERSON>"),
        ({"name": "O'Brien, Kate", "type": "customer", "phone": "x"}, "<PERSON>"),
        ({"name": "山田太郎"}, "<PERSON>"),
        ({"name": "get_weather"}, "get_weather"),
        ({"name": "getWeather"}, "getWeather"),
        ({"name": "WeatherAgent"}, "WeatherAgent"),
        ({"name": "Weather Agent"}, "Weather Agent"),
        ({"name": "Customer Support"}, "Customer Support"),
        ({"name": "Researcher"}, "Researcher"),
        ({"name": "Jane Doe", "type": "function", "parameters": {}}, "Jane Doe"),
        ({"name": "Grace Hopper", "model": "m", "instructions": "i"}, "Grace Hopper"),
        ({"name": "Blue Shirt", "price": 12}, "Blue Shirt"),
        ({"name": "gpt-4o"}, "gpt-4o"),
        ({"name": "report 2024.pdf"}, "report 2024.pdf"),
        ({"name": "New York"}, "New York"),
        ({"name": "Paris"}, "Paris"),
    ],
)
def test_a_bare_name_is_a_persons_only_when_it_may_be(redactor: Redactor, value: dict[str, object], expected: str) -> None:
    """By the shape of the value and the keys beside it."""
    assert document(redactor, value)["name"] == expected


def test_an_object_of_a_person_has_a_persons_name(redactor: Redactor) -> None:
    """`customer`, `patient`, `contact` … say who the name inside belongs to."""
    value = {"customer": {"name": "jane", "tier": "gold"}, "agent": {"name": "jane"}, "contact": "Jane Doe", "patient": {"id": 4}}
    assert document(redactor, value) == {
        "customer": {"name": "<PERSON>", "tier": "gold"},
        "agent": {"name": "jane"},
        "contact": "<PERSON>",
        "patient": {"id": 4},
    }


def test_schemas_are_left_alone(redactor: Redactor) -> None:
    """A tool's parameters describe values and hold none."""
    tool = {
        "type": "function",
        "function": {
            "name": "create_customer",
            "description": "Creates a customer",
            "parameters": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "description": "Full name of the customer", "title": "Name"},
                    "address": {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Address"},
                    "ssn": {"$ref": "#/$defs/Ssn4711"},
                    "dob": {"type": ["string", "null"], "enum": ["1980"], "format": "date"},
                },
                "required": ["name", "address"],
            },
        },
    }
    assert document(redactor, [tool]) == [tool]
    informal = {"name": "string", "phone": "string", "ssn": None, "email": "optional", "first_name": "str"}
    assert document(redactor, informal) == informal


@pytest.mark.parametrize(
    "value", ["http://example.org/x", "127.0.0.1:8080", "localhost", "db.internal:5432", "0x7ffe12", "/var/run/x.sock", "[::1]:80", "::1"]
)
def test_addresses_of_machines_stay(redactor: Redactor, value: str) -> None:
    """`address` is also where a server listens."""
    assert document(redactor, {"address": value}) == {"address": value}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("12345678", "<ACCOUNT>"),
        (12345678, "<ACCOUNT>"),
        ("savings ****1234", "<ACCOUNT>"),
        ("savings", "savings"),
        ("premium", "premium"),
    ],
)
def test_an_account(redactor: Redactor, value: object, expected: object) -> None:
    """Digits are its number; a word is its kind."""
    assert document(redactor, {"account": value}) == {"account": expected}


@pytest.mark.parametrize("value", ["550e8400-e29b-41d4-a716-446655440000", "acc_9f8e7d6c", "AC1f2e3d4c"])
def test_an_account_that_is_an_id_becomes_a_pseudonym(redactor: Redactor, value: str) -> None:
    """So that two accounts stay two; under `account_id` it is left alone."""
    replaced = document(redactor, {"account": value})["account"]
    assert replaced.startswith("<ACCOUNT:")
    assert document(redactor, {"account": value.upper()})["account"] == replaced
    assert document(redactor, {"account_id": value}) == {"account_id": value}


def test_identity_keys_become_pseudonyms(redactor: Redactor) -> None:
    """The same person is the same under every key that says who."""
    one, two, login = redactor.clean_now([("Jane Doe", "user.name"), ("Jane Doe", "user.full_name"), ("jdoe", "user.name")])
    assert one.text == two.text
    assert one.text.startswith("<PERSON:")
    assert login.text == "jdoe"


def test_the_policy_has_the_last_word(make_redactor: Make) -> None:
    """Further keys, exceptions, and none at all; `allowed_values` are kept as ever."""
    redactor = make_redactor(sensitive_keys={"extra": {"BADGE": ["(?i)badge"]}, "ignore": ["^shop[.]"]}, allowed_values=["ACME Corp"])
    assert redactor.clean_now([("4711", "Badge.no")])[0].text == "<BADGE>"
    assert redactor.clean_now([("12 Main St", "shop.address")])[0].text == "12 Main St"
    assert document(redactor, {"customer_name": "ACME Corp"}) == {"customer_name": "ACME Corp"}
    off = make_redactor(sensitive_keys={"enabled": False})
    assert document(off, {"customer_name": "Jane", "cvv": 123}) == {"customer_name": "Jane", "cvv": 123}


def test_attributes_of_every_type_under_a_sensitive_key(redactor: Redactor) -> None:
    """Lists and maps are walked under the key; flags are no secrets, so there is no constant for all."""
    assert redactor.blocked("customer.address") is None
    assert redactor.may_hold("123", "card.cvv")
    assert redactor.inherits("customer.address")
    assert not redactor.inherits("customer")
    known = redactor.lookup("Jane Doe", "customer.name")
    assert known is not None
    assert known.text == "<PERSON>"
    assert redactor.lookup("Jane Doe", "customer.name") is known


# what must not be lost: the pipeline's own vocabulary, and real captures


@pytest.fixture(scope="module")
def vocabulary() -> list[str]:
    """Every attribute of the vocabulary."""
    loaded = yaml.safe_load((ROOT / "collector" / "dialects" / "vocabulary.yaml").read_text())
    return [*loaded["attributes"], *(name for metric in loaded["metrics"].values() for name in metric["attributes"])]


def test_no_key_of_the_vocabulary_is_sensitive(vocabulary: list[str], redactor: Redactor) -> None:
    """Dashboards, alerts and budgets are made of these."""
    rules: Rules = redactor._rules
    assert [key for key in vocabulary if rules.keys.attribute(key).handling is Handling.WHOLE] == []


def _dialect_keys() -> list[str]:
    from re import findall

    sources = (ROOT / "collector" / "dialects").glob("*.py")
    return sorted({key for source in sources for key in findall(r'"([a-z_]+(?:\.[\w*]+)+)"', source.read_text())})


def test_no_key_that_a_dialect_reads_is_sensitive(redactor: Redactor) -> None:
    """But who the user is: that becomes a pseudonym."""
    rules: Rules = redactor._rules
    keys = _dialect_keys()
    assert len(keys) > 100
    classes = {key: rules.keys.attribute(key) for key in keys}
    assert [key for key, each in classes.items() if each.handling is Handling.WHOLE and not each.pseudonymise] == []


REQUESTS: dict[str, type[Message]] = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}


def _strings(message: Any, key: str | None) -> Iterator[tuple[str, str | None]]:
    for field, value in message.ListFields():
        for each in value if field.is_repeated else [value]:
            if field.message_type is None:
                if field.type == field.TYPE_STRING:
                    yield each, key if field.name == "string_value" else None
            elif field.message_type.name == "KeyValue":
                yield each.key, None
                yield from _strings(each.value, each.key)
            else:
                yield from _strings(each, key)


@cache
def captured() -> dict[str, list[tuple[str, str | None]]]:
    """Every string of the captures, with its key, by client."""
    strings: dict[str, list[tuple[str, str | None]]] = {}
    for path in sorted((ROOT / "tests" / "captures").glob("*.pb")):
        request = REQUESTS[path.stem.rpartition("-")[2]]()
        request.ParseFromString(path.read_bytes())
        strings.setdefault(path.stem.rpartition("-")[0].rpartition("-")[0], []).extend(_strings(request, None))
    return strings


def test_real_captures_lose_nothing(redactor: Redactor) -> None:
    """Nine frameworks, not one person in them: every string comes out as it went in, so no tool, model, agent or service is lost."""
    items = list(dict.fromkeys(item for strings in captured().values() for item in strings))
    assert len(items) > 400
    changed = [(item, each.text) for item, each in zip(items, redactor.clean_now(items), strict=True) if each.text != item[0]]
    assert changed == []


@pytest.mark.parametrize("name", ["get_weather", "weather_agent", "weather_flow", "gpt-4o-mini", "pii", "doc-1", "acme"])
def test_the_names_of_the_captures_are_in_them(name: str, redactor: Redactor) -> None:
    """The names that the index tells are really there, and survive where they stand."""
    holding = [item for strings in captured().values() for item in strings if name in item[0]]
    assert holding
    assert all(name in each.text for each in redactor.clean_now(holding))


def test_every_default_of_the_policy_compiles_and_counts() -> None:
    """The exceptions in the policy are about attributes of machines."""
    rules = RedactionConfig().sensitive_keys
    assert not set(rules.machine_siblings) & set(rules.person_siblings)
