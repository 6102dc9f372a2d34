"""`make docs`: writes the pages and tables that come from the code, so that they cannot be wrong: configuration.md, cli.md and others."""

import inspect
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import click
import typer
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from cli.main import application
from collector.config_model import COMPONENTS, ServiceConfig
from docs import events_page, telemetry_page
from docs.conformance_page import conformance_page
from docs.dialects_page import dialects_page
from docs.vocabulary_page import vocabulary_page
from redaction.secrets import RULES, SecretRule
from redaction.secrets.rule import GLUED

DOCS = Path(__file__).parent

CONFIGURATION_HEAD = """\
# Configuration: `otel-config.yaml`

The OpenTelemetry Collector's own grammar: components with ids `type` or `type/name`, and a `service` that says which of them run. `${env:NAME}`,
`${env:NAME:-default}` and `${NAME}` are expanded, `$$` is a dollar sign. Unknown keys are errors. `auditlake validate [FILE]` reports every problem at once, each
with its key, its line and the remedy; nothing is started. Without a file the built-in configuration runs, which is the `otel-config.yaml` of the repository.

A pipeline that ends in `parquet` without the `redaction` processor is refused unless it says `allow_unredacted: true`. An endpoint that other machines can reach is
refused unless senders have to authenticate there ([admission.md](admission.md)), or the receiver says `insecure_allow_anonymous: true`.

This page is generated from the models (`make docs`).
"""

CLI_HEAD = """\
# The command line: `auditlake`

Reading commands take `--data DIR` (default: the path in `otel-config.yaml`, else `./auditlake-data`) and `--format table|json|csv|parquet`. JSON goes to stdout
alone, messages to stderr. Exit codes: 0 ok, 1 the answer is "no", 2 usage or configuration.

This page is generated from the commands (`make docs`).
"""

CREDENTIALS_HEAD = """\
# Credentials that redaction finds

Each rule stands in `redaction/secrets/` as data: an expression for the credential itself, a check where an expression does not suffice (how random it looks, a checksum, what
base64 stands for, placeholders), and examples of what it finds and leaves in `tests/redaction/secrets/`. `auditlake redact --explain` shows the name of the rule that fired;
`secrets.disabled_rules` takes these names. What is found becomes `<ENTITY>`.

* *Shape*: the key is recognised by itself, wherever it stands. Keys of a length that fits are redacted even when their checksum is wrong: an example is not told from a key.
* *Behind its name*: the key has no shape of its own; it is found behind its usual names as they stand in code, configuration, commands, headers and JSON.
* *Beside words*: the same, when one of these words is among the five before it or in the attribute's key.

References and placeholders are left: `sk-...`, `YOUR_API_KEY`, `<token>`, `${TOKEN}`, `****`, `process.env.X`, `os.environ[...]`, `None`, names of variables.

This page is generated from the rules (`make docs`).

| entity | rule | recognised by |
|---|---|---|
"""

_SHOWN_CHARS = 72


def main() -> None:
    """Write the pages."""
    (DOCS / "configuration.md").write_text(configuration_page())
    (DOCS / "cli.md").write_text(cli_page())
    (DOCS / "redaction-credentials.md").write_text(credentials_page())
    (DOCS / "vocabulary.md").write_text(vocabulary_page())
    (DOCS / "dialects.md").write_text(dialects_page())
    (DOCS / "conformance.md").write_text(conformance_page())
    events_page.main()
    telemetry_page.main()


def configuration_page() -> str:
    """Return docs/configuration.md."""
    parts = [CONFIGURATION_HEAD]
    for section, components in COMPONENTS.items():
        parts.append(f"\n## {section}\n")
        for kind, model in components.items():
            parts.append(f"\n### `{section}.{kind}`\n\n" + _model_table(model))
    parts.append("\n## service\n\n" + _model_table(ServiceConfig))
    return "".join(parts)


def _model_table(model: type[BaseModel]) -> str:
    rows = ["| key | default | meaning |\n|---|---|---|\n"]
    rows += [f"| `{key}` | {default} | {comment} |\n" for key, default, comment in _fields(model, "")]
    return "".join(rows)


def _fields(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    comments = _comments(model)
    for name, field in model.model_fields.items():
        key = prefix + (field.alias or name)
        yield key, _default(field.get_default(call_default_factory=True)), comments.get(name, "")
        for nested, suffix in _nested(field.annotation):
            if nested is not model:  # a tree is told once
                yield from _fields(nested, f"{key}{suffix}.")


def _nested(annotation: Any, suffix: str = "") -> Iterator[tuple[type[BaseModel], str]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, suffix
        return
    origin = getattr(annotation, "__origin__", None)
    inner = "[]" if origin in (tuple, list) else ".<signal>" if origin is dict else ""
    for argument in getattr(annotation, "__args__", ()):
        yield from _nested(argument, suffix + inner)


def _default(value: object) -> str:
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        return ""
    if value is None:
        return "–"
    if isinstance(value, tuple | list | set | frozenset):
        items = sorted(map(str, value)) if isinstance(value, set | frozenset) else [str(item) for item in value]
        text = ", ".join(items)
        return "built in" if any(isinstance(item, BaseModel) for item in value) else f"`[{text}]`".replace("|", "\\|")
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`".replace("|", "\\|")


def _comments(model: type[BaseModel]) -> dict[str, str]:
    """Return the comment behind, or on the lines above, each field of the model and of its bases."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if not (isinstance(owner, type) and issubclass(owner, BaseModel)) or owner is BaseModel:
            continue
        above: list[str] = []
        for line in inspect.getsource(owner).splitlines():
            field = re.match(r"    (\w+): .*?(?:  # (.*))?$", line)
            if line.strip().startswith("#"):
                above.append(line.strip().removeprefix("#").strip())
            elif field and field[1] in model.model_fields:
                found[field[1]] = (field[2] or " ".join(above)).replace("|", "\\|")
                above = []
            elif closing := re.match(r"    [\])]+.*?  # (.*)$", line):
                last = next(reversed(found), None)
                if last and not found[last]:
                    found[last] = closing[1].replace("|", "\\|")
            else:
                above = []
    return found


def cli_page() -> str:
    """Return docs/cli.md."""
    group = typer.main.get_command(application())
    assert isinstance(group, click.Group) or hasattr(group, "commands")  # noqa: S101
    return CLI_HEAD + "".join(_command_sections(group, "auditlake"))


def _command_sections(group: Any, prefix: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield f"\n## `{prefix} {name}`\n\n{(command.help or '').strip()}\n"
            yield from _command_sections(command, f"{prefix} {name}")
            continue
        yield f"\n## `{prefix} {name}`\n\n{(command.help or '').strip()}\n\n| argument or option | meaning |\n|---|---|\n"
        yield from (_parameter_row(each) for each in command.params if each.name != "help" and not getattr(each, "hidden", False))


def _parameter_row(parameter: Any) -> str:
    """One parameter: how it is written, what it means, and what it is when it is left out, where the meaning does not say so."""
    is_option, metavar = parameter.param_type_name == "option", parameter.metavar or ""
    words = f"{', '.join([*parameter.opts, *parameter.secondary_opts])} {metavar}".strip() if is_option else metavar or parameter.name
    meaning = (getattr(parameter, "help", "") or "").strip()
    default = parameter.default.value if isinstance(parameter.default, Enum) else parameter.default
    if is_option and parameter.required:
        meaning += " Required."
    elif isinstance(default, str | int | float) and not isinstance(default, bool) and "efault" not in meaning:
        meaning += f" Default: `{default}`."
    cells = (f"`{words}`", meaning)
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |\n"


def credentials_page() -> str:
    """Return docs/redaction-credentials.md."""
    rows = sorted((rule.entity, rule.name, _recognised_by(rule)) for rule in RULES)
    return CREDENTIALS_HEAD + "".join(f"| `{entity}` | {name} | {by} |\n" for entity, name, by in rows)


def _recognised_by(rule: SecretRule) -> str:
    if rule.context:
        words = [word for word in rule.context if not any(word != other and word.startswith(other) for other in rule.context)]
        return "beside words: " + ", ".join(f"`{word}`" for word in words)
    if rule.expression.startswith(("(?<=", "(?i)(?<=")) and not rule.expression.startswith(GLUED):
        return "behind its name, or where only such a thing stands"
    shape = rule.shape if len(rule.shape) <= _SHOWN_CHARS else rule.shape[:_SHOWN_CHARS] + "…"
    return "shape: `" + shape.replace("|", "\\|") + "`"


if __name__ == "__main__":
    main()
