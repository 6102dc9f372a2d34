"""Recognizers of the policy's own, in Presidio's YAML format: read once with the configuration, whose value then holds all of a file.

Scanner processes get the text itself, so a file that changes meanwhile changes nothing, and the policy hash covers its content. What can
be told without Presidio is checked here, so that the error stands beside the line of otel-config.yaml; the rest is said by
`redaction.presidio.custom` when the recognizers are made.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from redaction.expressions import Expression

_ENTITY: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class RecognizerFile:
    """A file of recognizers: where it was found, and what it says."""

    path: str
    text: str

    def registry(self) -> Mapping[str, Any]:
        """Return the file as Presidio's registry configuration. Raises `ValueError` when it is none."""
        try:
            values = yaml.safe_load(self.text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            raise ValueError(f"{self.path}: is not YAML" + (f": line {mark.line + 1}" if mark else "")) from None
        listed = values.get("recognizers") if isinstance(values, dict) else None
        if not isinstance(listed, list) or not listed:
            raise ValueError(f"{self.path}: has no list `recognizers`, as Presidio's registry files have")
        return dict(values)

    def enabled(self) -> Iterator[Mapping[str, Any]]:
        """Yield the recognizers that are not switched off. Raises `ValueError` for one that is no mapping with a name."""
        for number, entry in enumerate(self.registry()["recognizers"], start=1):
            recognizer = {"name": entry, "type": "predefined"} if isinstance(entry, str) else entry
            if not isinstance(recognizer, dict) or not isinstance(recognizer.get("name"), str):
                raise ValueError(f"{self.path}: recognizer {number}: name: is missing")
            if recognizer.get("enabled", True):
                yield recognizer

    def entities(self) -> frozenset[str]:
        """Return the entities that the file names."""
        return frozenset(entity for recognizer in self.enabled() for entity in _entities(recognizer))


def is_custom(recognizer: Mapping[str, Any]) -> bool:
    """Whether a recognizer is described by the file itself, and not one of Presidio's by its name."""
    return bool(recognizer.get("type") == "custom" or ("type" not in recognizer and {"patterns", "deny_list"} & recognizer.keys()))


def located(path: str, info: ValidationInfo) -> Path:
    """Return a path of the configuration: absolute, and seen from the configuration's folder if that is known."""
    folder = (info.context or {}).get("folder")
    return Path(folder or Path(), path).absolute()


def _entities(recognizer: Mapping[str, Any]) -> list[str]:
    several, one = recognizer.get("supported_entities"), recognizer.get("supported_entity")
    return [*(several if isinstance(several, list) else []), *([] if one is None else [one])]


def _read(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str):
        return value
    path = located(value, info)
    try:
        return RecognizerFile(str(path), path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not UTF-8 text") from None


def _checked(file: RecognizerFile) -> RecognizerFile:
    for recognizer in file.enabled():
        for where, problem in _problems(recognizer):
            raise ValueError(f"{file.path}: {recognizer['name']}: {where}: {problem}")
    return file


def _problems(recognizer: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    entities = _entities(recognizer)
    if is_custom(recognizer) and not entities:
        yield "supported_entity", "is missing"
    for entity in entities:
        if not isinstance(entity, str) or not _ENTITY.fullmatch(entity):
            yield "supported_entity", "must be capital letters, digits and underscores, such as EMPLOYEE_ID"
    patterns = recognizer.get("patterns") or []
    for index, pattern in enumerate(patterns if isinstance(patterns, list) else []):
        expression = pattern.get("regex") if isinstance(pattern, dict) else None
        if not isinstance(expression, str):
            yield f"patterns[{index}].regex", "is missing"
            continue
        try:
            Expression(expression)
        except ValueError as error:
            yield f"patterns[{index}].regex", str(error)


RecognizerPath = Annotated[RecognizerFile, BeforeValidator(_read), AfterValidator(_checked)]
"""A path in the configuration; validated, the file itself."""
