"""YAML documents that remember the line of every key, so that each error can name its place."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from alerts.errors import Problem
from storage.wording import KeyPath, dotted

MAX_DEPTH: Final = 16
"""Rule files nest six levels; deeper is a YAML anchor that holds itself."""
MERGE: Final = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed file: plain values, the line (from 1) of each key, and the line at which the text of a block scalar begins."""

    file: str
    values: Any
    lines: Mapping[KeyPath, int]
    text_lines: Mapping[KeyPath, int]

    def problem(self, path: KeyPath, message: str, *, text_line: int = 0) -> Problem:
        """Return a problem at `path`; `text_line` is the line (from 0) within the text that stands there."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        line = self.lines.get(known, 1)
        if path in self.text_lines:
            line = self.text_lines[path] + text_line
        return Problem(file=self.file, line=line, path=dotted(path), message=message)


def read_document(text: str, file: str) -> tuple[Document, list[Problem]]:
    """Parse `text`; broken YAML and repeated keys come back as problems."""
    empty = Document(file=file, values=None, lines={}, text_lines={})
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        builder = _Builder()
        values = builder.build(root, ()) if root is not None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        return empty, [Problem(file=file, line=line, path="", message=f"not valid YAML: {error.problem or error.context}")]
    except (yaml.YAMLError, ValueError):
        return empty, [Problem(file=file, line=1, path="", message="not valid YAML: it holds characters or values that YAML forbids")]
    document = Document(file=file, values=values, lines=builder.lines, text_lines=builder.text_lines)
    return document, [document.problem(path, message) for path, message in builder.problems]


class _Builder:
    """Turns YAML nodes into values; collects lines and problems on the way."""

    def __init__(self) -> None:
        self.lines: dict[KeyPath, int] = {}
        self.text_lines: dict[KeyPath, int] = {}
        self.problems: list[tuple[KeyPath, str]] = []
        self._scalars = yaml.SafeLoader("")

    def build(self, node: yaml.Node, path: KeyPath) -> Any:
        if len(path) > MAX_DEPTH:
            raise ValueError("nested too deeply")
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        block = getattr(node, "style", None) in ("|", ">")
        self.text_lines[path] = node.start_mark.line + (2 if block else 1)
        return self._scalars.construct_object(node)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == MERGE:
                merged = {**self._merged(value_node, (*path, "<<")), **merged}
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append((path, "a key must be a plain word"))
                continue
            key = str(key_node.value)
            if key in values:
                self.problems.append(((*path, key), "stands twice: keep one of them"))
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            values[key] = self.build(value_node, (*path, key))
        return {**merged, **values}

    def _merged(self, node: yaml.Node, path: KeyPath) -> dict[str, Any]:
        """What `<<` adds to a mapping, which itself goes before it: a mapping, or several, the first of which goes before the others."""
        merged: dict[str, Any] = {}
        for part in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            found = self.build(part, path)
            if isinstance(found, dict):
                merged = {**found, **merged}
            else:
                self.problems.append((path, "must be a mapping, or a list of mappings"))
        return merged
