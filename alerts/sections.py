"""What all files of ours have in common: frozen sections without unknown keys, Prometheus' durations, and errors that name the line."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints

from alerts.documents import Document
from alerts.durations import parse_duration
from alerts.errors import Problem
from storage.wording import KeyPath, unknown


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if value == 0 and not isinstance(value, bool):
        return timedelta()
    if not isinstance(value, str):
        raise ValueError("not a duration: write it like 30s, 5m, 1h30m or 2d")
    return parse_duration(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text: put it in quotes")
    return value


def _parameter(value: object) -> object:
    if not isinstance(value, str | int | float | bool):
        raise ValueError("a parameter is one number, text, true or false")
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Text = Annotated[str, BeforeValidator(_text)]
Name = Annotated[str, StringConstraints(min_length=1), BeforeValidator(_text)]
"""A text that is not empty."""

Parameter = Annotated[Any, BeforeValidator(_parameter)]


class Section(BaseModel):
    """A mapping of keys, of which none may be unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def read_text(path: Path) -> tuple[str, list[Problem]]:
    """Return the text of a file; one that cannot be read comes back as a problem."""
    try:
        return path.read_text(encoding="utf-8"), []
    except OSError as error:
        return "", [Problem(file=str(path), line=1, path="", message=f"cannot be read: {error.strerror}")]
    except UnicodeDecodeError:
        return "", [Problem(file=str(path), line=1, path="", message="is not UTF-8 text")]


def explain(document: Document, error: Mapping[str, Any], root: type[BaseModel]) -> Problem:
    """Return pydantic's error about a document, read as `root`, as a problem at the key's place in the file."""
    path: KeyPath = tuple(error["loc"])
    if error["type"] == "extra_forbidden":
        fields = section_at(root, path[:-1]).model_fields
        return document.problem(path, unknown("key", str(path[-1]), [field.alias or name for name, field in fields.items()]))
    if error["type"] == "missing":
        return document.problem(path, "is missing")
    if error["type"] == "value_error":
        return document.problem(path, str(error.get("ctx", {})["error"]))
    message = str(error["msg"]).replace("Input should be", "must be")
    return document.problem(path, "must be a mapping of keys" if error["type"] in ("model_type", "dict_type") else message)


def section_at(root: type[BaseModel], path: KeyPath) -> type[BaseModel]:
    """Return the model that reads what stands at `path` below `root`."""
    model = root
    for part in path:
        for name, field in model.model_fields.items():
            if part in (name, field.alias):
                model = _model_in(field.annotation) or model
    return model


def _model_in(annotation: object) -> type[BaseModel] | None:
    """Return the model that an annotation such as `tuple[Rule, ...] | None` holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part)) is not None), None)
