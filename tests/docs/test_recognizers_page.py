"""docs/redaction-recognizers.md: every entity with what it needs, and every example does what it says."""

import re
from pathlib import Path

import pytest
import yaml

from redaction.policy import RedactionConfig
from redaction.policy_defaults import COUNTRY_ENTITIES
from redaction.presidio.countries import country_recognizers
from redaction.presidio.country_words import CERTAIN
from redaction.redactor import Redactor

PAGE = (Path(__file__).parents[2] / "docs/redaction-recognizers.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
EXAMPLES = re.findall(r"^\[(\w+): (\[.*?\])\] (.*) => (.*)$", "".join(text for kind, text in BLOCKS if kind == "redact"), re.MULTILINE)
FILE = next(text for kind, text in BLOCKS if kind == "yaml" and text.startswith("recognizers:"))


def test_every_entity_of_every_country_stands_in_the_table() -> None:
    """With its country, and its first context word if it needs one."""
    rows = {entity: (code, needs) for code, entity, needs in re.findall(r"^\| `(\w\w)` [\w ]+ \| `(\w+)` \| (.*) \|$", PAGE, re.MULTILINE)}
    assert {entity: code for entity, (code, _) in rows.items()} == {
        entity: code for code, entities in COUNTRY_ENTITIES.items() for entity in entities
    }
    for recognizer in country_recognizers(frozenset(rows)):
        (entity,) = recognizer.supported_entities
        needs = rows[entity][1]
        if "entities: default" not in needs:
            assert needs.startswith("nothing" if entity in CERTAIN else f"one of `{recognizer.context[0]}`"), entity


@pytest.fixture(scope="module")
def redactors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Redactor]:
    """One for each policy of the examples."""
    folder = tmp_path_factory.mktemp("policy")
    (folder / "recognizers.yaml").write_text(FILE)
    made = {}
    for option, value, _, _ in EXAMPLES:
        values = {"presidio": {option: yaml.safe_load(value)}, "secrets": {"enabled": False}}
        config = RedactionConfig.model_validate(values, context={"folder": folder})
        made[option] = made.get(option) or Redactor(config, pseudonym_key=b"k" * 32)
    return made


@pytest.mark.parametrize(("option", "text", "expected"), [(option, text, expected) for option, _, text, expected in EXAMPLES])
def test_examples_do_what_they_say(redactors: dict[str, Redactor], option: str, text: str, expected: str) -> None:
    """Each line: what goes in, what is stored."""
    assert redactors[option].clean_now([(text, None)])[0].text == expected


def test_configurations_of_the_page_are_valid(tmp_path: Path) -> None:
    """All options exist, and there are examples."""
    (tmp_path / "recognizers.yaml").write_text(FILE)
    sections = [
        yaml.safe_load(text)["processors"]["redaction"] for kind, text in BLOCKS if kind == "yaml" and text.startswith("processors")
    ]
    for section in sections:
        RedactionConfig.model_validate(section, context={"folder": tmp_path})
    assert (len(sections), len(EXAMPLES)) == (3, 7)
