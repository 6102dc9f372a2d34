"""Reading otel-config.yaml: YAML with `${env:VAR:-default}`, remembering the line of every key, so that errors can name it.

Grammar of the OpenTelemetry Collector: `${env:NAME}`, `${env:NAME:-default}`, the short form `${NAME}`, and `$$` for a dollar sign.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

KeyPath = tuple[str | int, ...]

SHORTEST_SECRET_CHARS = 4
"""What the environment gives is not repeated in errors from this length on; shorter values would be taken out of ordinary words."""

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where PyYAML was built with it: ten times as fast, and every command reads a configuration."""
_REFERENCE = re.compile(r"\$(?:(\$)|\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with the configuration: where it stands, what it is, and the remedy."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.path}: {self.message}" if self.path else f"line {self.line}: {self.message}"


class ConfigError(Exception):
    """The configuration is refused; `problems` lists everything that is wrong with it, not only the first."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))
        count = len(self.problems)
        super().__init__(
            "\n".join([f"{source}: {count} problem{'s' if count > 1 else ''}", *(f"  {problem}" for problem in self.problems)])
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The parsed document: plain values, and the line (from 1) of each key path."""

    name: str
    values: Any
    lines: Mapping[KeyPath, int]
    expanded: Mapping[str, str] = field(default_factory=dict)  # what environment variables gave → their references

    def line(self, path: KeyPath) -> int:
        """Return the line of `path`, or of the nearest enclosing key."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def problem(self, path: KeyPath, message: str) -> Problem:
        """Return a problem that stands at `path`; what the environment gave is not repeated, it may be a secret."""
        return Problem(path=dotted(path), line=self.line(path), message=_without(self.expanded, message))


def read(text: str, name: str, environ: Mapping[str, str]) -> Source:
    """Parse `text`; raises ConfigError for broken YAML, duplicate keys and unset variables without a default."""
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigError(name, [Problem(path="", line=line, message=f"not valid YAML: {error.problem or error.context}")]) from None
    except (yaml.YAMLError, ValueError):
        raise ConfigError(name, [Problem(path="", line=1, message="not valid YAML: it holds characters that YAML forbids")]) from None
    builder = _Builder(environ)
    values = builder.build(root, ()) if root is not None else {}
    if builder.problems:
        raise ConfigError(name, builder.problems)
    return Source(name=name, values=values, lines=builder.lines, expanded=builder.expanded)


def _without(expanded: Mapping[str, str], message: str) -> str:
    """Return a message with references in the place of what they stand for."""
    for value in sorted(expanded, key=len, reverse=True):
        for form in (repr(value)[1:-1], value):
            message = message.replace(form, expanded[value])
    return message


def nearest(word: str, valid: Iterable[str]) -> str | None:
    """Return the valid word that a person most likely meant."""
    matches = difflib.get_close_matches(word, list(valid), n=1, cutoff=0.55)
    return matches[0] if matches else None


def dotted(path: KeyPath) -> str:
    """Return a key path as people write it: `receivers.otlp.protocols`, `rules[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


class _Builder:
    """Turns YAML nodes into values; collects lines and problems on the way."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[Problem] = []
        self.expanded: dict[str, str] = {}
        self._environ = environ
        self._scalars = yaml.SafeLoader("")

    def build(self, node: yaml.Node, path: KeyPath) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)  # noqa: S101 - YAML has three kinds of nodes
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._report(path, key_node, "a key must be a plain word")
                continue
            key = str(key_node.value)
            if key in values:
                self._report((*path, key), key_node, "stands twice: keep one of them")
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            values[key] = self.build(value_node, (*path, key))
        return values

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Any:
        text = str(node.value)
        if "$" not in text:
            return self._typed(node, path)
        expanded = _REFERENCE.sub(lambda match: self._expand(match, node, path), text)
        if node.style in ("'", '"'):
            return expanded
        tag = self._scalars.resolve(yaml.ScalarNode, expanded, (True, False))  # type: ignore[no-untyped-call]
        return self._typed(yaml.ScalarNode(tag, expanded, node.start_mark), path)

    def _typed(self, node: yaml.ScalarNode, path: KeyPath) -> Any:
        try:
            return self._scalars.construct_object(node)
        except (ValueError, yaml.YAMLError):
            self._report(path, node, "is not a value that YAML knows: put it in quotes")
            return None

    def _expand(self, match: re.Match[str], node: yaml.Node, path: KeyPath) -> str:
        escaped, name, default = match.groups()
        if escaped:
            return "$"
        value = self._environ.get(name)
        if value:
            if len(value) >= SHORTEST_SECRET_CHARS:
                self.expanded[value] = f"${{env:{name}}}"
            return value
        if default is not None:
            return str(default)
        self._report(path, node, f"the environment variable {name} is not set: set it, or give a default with ${{env:{name}:-…}}")
        return ""

    def _report(self, path: KeyPath, node: yaml.Node, message: str) -> None:
        self.problems.append(Problem(path=dotted(path), line=node.start_mark.line + 1, message=_without(self.expanded, message)))
