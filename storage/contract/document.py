"""A YAML document that knows the line of each of its keys, so that every error can name its place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from storage.errors import StorageError
from storage.wording import KeyPath, dotted

MAX_DEPTH: Final = 16
"""Contract files nest three levels; deeper is an anchor that holds itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong in a file: the line (from 1), the key, what it is and the remedy."""

    line: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: " + (f"{self.path}: " if self.path else "") + self.message


class ContractFileError(StorageError):
    """A trace-contract file is refused; `problems` lists everything that is wrong with it, not only the first."""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line, problem.path)))
        super().__init__("use the trace contract", file, hint="docs/contract.md has every key")

    def __str__(self) -> str:
        count = f"{len(self.problems)} problem{'s' if len(self.problems) != 1 else ''}"
        return "\n".join([f"{self.subject}: {count} ({self.hint})", *(f"  {problem}" for problem in self.problems)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Plain values, and the line of each key."""

    values: Any
    lines: Mapping[KeyPath, int]

    def problem(self, path: KeyPath, message: str) -> Problem:
        """Return a problem at `path`, or at the nearest key around it that stands in the file."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        return Problem(line=self.lines.get(known, 1), path=dotted(path), message=message)


def read_document(text: str, file: str) -> Document:
    """Parse `text`; raises `ContractFileError` for broken YAML and for keys that stand twice."""
    builder = _Builder()
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        values = builder.build(root, ()) if root is not None else {}
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ContractFileError(file, [Problem(line=line, path="", message=f"not valid YAML: {error.problem or error.context}")]) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        problem = Problem(line=1, path="", message="not valid YAML: it holds characters or values that YAML forbids, or nests too deep")
        raise ContractFileError(file, [problem]) from None
    if builder.problems:
        raise ContractFileError(file, builder.problems)
    return Document(values=values, lines=builder.lines)


class _Builder:
    """Turns YAML nodes into values; collects lines and problems on the way."""

    def __init__(self) -> None:
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[Problem] = []
        self._scalars = yaml.SafeLoader("")

    def build(self, node: yaml.Node, path: KeyPath) -> Any:
        if len(path) > MAX_DEPTH:
            raise ValueError("too deep")
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalars.construct_object(node)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if key in values:
                self.problems.append(Problem(line=line, path=dotted((*path, key)), message="stands twice: keep one of them"))
            self.lines[(*path, key)] = line
            values[key] = self.build(value_node, (*path, key))
        return values
