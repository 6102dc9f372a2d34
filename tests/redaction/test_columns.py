"""Tables in text: the columns of blocked keys."""

import json
import time

import pytest

from redaction import columns
from redaction.redactor import Redactor


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id\tprivate_token\tregion\n1\te0272b41302d45890a\teu", "id\tprivate_token\tregion\n1\t<BLOCKED_KEY>\teu"),
        ("| id | db_password | zone |\n| 1 | pF7kZ~U^3lW | a |", "| id | db_password | zone |\n| 1 | <BLOCKED_KEY> | a |"),
        ("id,client_secret\n1,Winter5779#x\n2,Maple66#40\n", "id,client_secret\n1,<BLOCKED_KEY>\n2,<BLOCKED_KEY>\n"),
        ("id | root_password\n---+---\n1 | bA0^F*Ud\n(1 row)", "id | root_password\n---+---\n1 | <BLOCKED_KEY>\n(1 row)"),
        ('"id";"api_key"\n"1";"cfc4 x!9"', '"id";"api_key"\n"1";"<BLOCKED_KEY>"'),
    ],
)
def test_columns_of_secrets(redactor: Redactor, text: str, expected: str) -> None:
    """With tabs, bars, semicolons and commas, lines of dashes between; also as a string of JSON."""
    assert redactor.clean_now([(text, None)])[0].text == expected
    document = json.loads(redactor.clean_now([(json.dumps({"rows": text}), None)])[0].text)
    assert document == {"rows": expected}


@pytest.mark.parametrize(
    "text",
    [
        "id,secret_name,zone\n1,api-gateway-tls,a",
        "| option | password |\n| --- | --- |\n| a | required |",
        "Rotate the token, then the password, please\nand tell Jane, who waits, today",
        "id\tmax_tokens\n1\t128000",
        "a,api_key\n",
        "api_key,b",
    ],
)
def test_other_columns_stay(redactor: Redactor, text: str) -> None:
    """Names, words and prose with commas."""
    assert redactor.clean_now([(text, None)])[0].text == text


@pytest.mark.parametrize("text", ["a,api_key\n" * 20_000, "key,\n" * 40_000, "api_key," * 40_000 + "\n", "a|password\nb|c\n" * 10_000])
def test_linear_time(redactor: Redactor, text: str) -> None:
    """Texts come from outside."""
    begun = time.process_time()
    list(columns.find(text, redactor._rules))
    assert time.process_time() - begun < 3
