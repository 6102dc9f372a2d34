"""The names that plain JSON events have, from the registry: collector/receivers/event_names.py, and the tables of docs/events.md."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
REGISTRY = ROOT / "collector/dialects/vocabulary.yaml"
NAMES = ROOT / "collector/receivers/event_names.py"
PAGE = ROOT / "docs/events.md"
OURS = "auditlake."
BEGIN, END = "<!-- generated: {} -->\n", "<!-- end -->\n"

HEAD = '''"""What the names in a plain JSON event stand for. Written by `python -m docs.events_page` from the registry of the vocabulary."""

from collections.abc import Mapping
from typing import Final

'''


def main() -> None:
    """Write the table, and the generated parts of the page."""
    NAMES.write_text(names_module(), encoding="utf-8")
    PAGE.write_text(events_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def registry() -> dict[str, Any]:
    """Return the registry."""
    return dict(yaml.safe_load(REGISTRY.read_text(encoding="utf-8")))


def short_names(vocabulary: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return each short name with its attribute and type; raises ValueError when two attributes would have the same."""
    found = {short: (str(one["attribute"]), str(one["type"])) for short, one in vocabulary["short_names"].items()}
    for key, one in vocabulary["attributes"].items():
        short = key.removeprefix(OURS).replace(".", "_")
        if short in found:
            raise ValueError(f"{short} stands for {found[short][0]} and for {key}")
        found[short] = (key, one["type"])
    return found


def on_resource(vocabulary: Mapping[str, Any]) -> list[str]:
    """Return the attributes that belong to the resource."""
    ours = [key for key, one in vocabulary["attributes"].items() if one["record"] == "resource"]
    return ours + [one["attribute"] for one in vocabulary["short_names"].values() if one.get("record") == "resource"]


def group_of_event(vocabulary: Mapping[str, Any]) -> dict[str, str]:
    """Return the group of the vocabulary whose names need no prefix in an event: that of its name, of its kind, or of what it must have."""
    groups = {key.split(".")[1] for key in vocabulary["attributes"] if key.count(".") > 1}
    found = {}
    for name, event in vocabulary["events"].items():
        wanted = [name.split(".")[0], event["kind"], *(key.split(".")[1] for key in event["required"] if key.startswith(OURS))]
        group = next((one for one in wanted if one in groups), None)
        if group is not None:
            found[name] = group
    return found


def names_module() -> str:
    """Return the source of collector/receivers/event_names.py."""
    vocabulary = registry()
    lines = [HEAD, "SHORT_NAMES: Final[Mapping[str, tuple[str, str]]] = {\n"]
    lines += [f'    "{short}": ("{key}", "{kind}"),\n' for short, (key, kind) in short_names(vocabulary).items()]
    lines += ['}\n"""Short name → attribute and type."""\n', "GROUP_OF_EVENT: Final[Mapping[str, str]] = {\n"]
    lines += [f'    "{event}": "{group}",\n' for event, group in group_of_event(vocabulary).items()]
    lines += ['}\n"""Event → the group whose short names need no prefix in it."""\n', "ON_RESOURCE: Final = frozenset(\n    {\n"]
    lines += [f'        "{key}",\n' for key in on_resource(vocabulary)]
    return "".join([*lines, '    }\n)\n"""Attributes that say who the records belong to."""\n'])


def events_page(page: str) -> str:
    """Return docs/events.md with its tables as the registry has them."""
    vocabulary = registry()
    for name, rows in (("names", _names(vocabulary)), ("events", _events(vocabulary))):
        before, _, rest = page.partition(BEGIN.format(name))
        _, _, after = rest.partition(END)
        page = before + BEGIN.format(name) + "".join(rows) + END + after
    return page


def _names(vocabulary: Mapping[str, Any]) -> Iterator[str]:
    yield "| name | attribute | type | on |\n|---|---|---|---|\n"
    resource = on_resource(vocabulary)
    for short, (key, kind) in short_names(vocabulary).items():
        yield f"| `{short}` | `{key}` | {kind} | {'resource' if key in resource else 'record'} |\n"


def _events(vocabulary: Mapping[str, Any]) -> Iterator[str]:
    yield "| event | must have | also |\n|---|---|---|\n"
    groups, names = group_of_event(vocabulary), short_names(vocabulary)
    by_key = {key: short for short, (key, _) in names.items()}
    envelope = {"event", "time", "severity", "body", "id", "trace_id", "span_id", "attributes"}
    for event, one in vocabulary["events"].items():
        group = f"{groups[event]}_" if event in groups else ""

        def said(short: str, group: str = group) -> str:
            bare = short.removeprefix(group)
            return short if not group or bare in envelope else bare

        required = [by_key[key] for key in one["required"]]
        also = [short for short in names if group and short.startswith(group) and short not in required]
        shown = (" ".join(f"`{said(short)}`" for short in some) for some in (required, also))
        yield f"| `{event}` | {' | '.join(shown)} |\n"


if __name__ == "__main__":
    main()
