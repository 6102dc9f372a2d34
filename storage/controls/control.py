"""A control: a question about the lake as one SQL file whose header says what it is for.

The file is one SELECT over the published views, judged by `storage.sandbox` like any user's query. It returns one row a thing that was
checked (a call, a run, a record) with at least `record_id`, `run_id`, `time` and `problem`: NULL when the thing is as it must be, else
what is wrong with it. All its columns become evidence.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from storage import sandbox
from storage.errors import StorageError

BUILT_IN: Final = (
    "policy_before_side_effect", "approval_before_execution", "approval_by_another", "denied_not_executed", "side_effect_declared",
    "retries_idempotent", "runs_end", "records_complete", "contract_complete", "model_version_recorded", "memory_retention",
    "denied_sources_unread", "releases_evaluated", "changes_owned", "audit_actions_whole", "threats_answered", "nothing_withheld",
    "clocks_agree",
)  # fmt: skip
"""The controls that come with auditlake, in the order in which they are listed."""

_HEADER: Final = re.compile(r"\A((?:--.*\n)+)")
_KEY: Final = re.compile(r"^-- (title|rationale|reference): *(.*)$")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_HINT: Final = "docs/controls.md shows what a control looks like"


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One control: its name (of the file), its header, its SQL."""

    name: str
    title: str
    rationale: str
    reference: str | None  # which clauses of which standards ask for it
    sql: str


def built_in() -> tuple[Control, ...]:
    """Return the controls that come with auditlake."""
    return tuple(_built_in(name) for name in BUILT_IN)


def load_controls(folder: Path) -> tuple[Control, ...]:
    """Return the controls of a folder, one a `.sql` file, by name.

    Raises `StorageError` that names the file: no folder, no controls, a header without a title, a name that is taken, SQL that is
    not one SELECT over the views.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".sql")
    except OSError as error:
        raise StorageError("read the controls", folder, hint=f"{error.strerror}: name a folder of .sql files") from None
    if not paths:
        raise StorageError("read the controls", folder, hint="there is no .sql file in it")
    return tuple(_own(path) for path in paths)


def chosen(controls: Sequence[Control], names: Sequence[str]) -> tuple[Control, ...]:
    """Return the controls of these names. Raises `StorageError` for a name that none has."""
    known = {control.name: control for control in controls}
    for name in names:
        if name not in known:
            raise StorageError("find the control", name, hint=f"known are {', '.join(known)}")
    return tuple(known[name] for name in dict.fromkeys(names))


@cache
def _built_in(name: str) -> Control:
    return _parsed(name, files("storage").joinpath("controls", "sql", f"{name}.sql").read_text(encoding="utf-8"), f"{name}.sql")


def _own(path: Path) -> Control:
    try:
        control = _parsed(path.stem, path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError("read the control", path, hint=f"it must be a file of UTF-8 text: {type(error).__name__}") from None
    if path.stem in BUILT_IN:
        raise StorageError("use the control", path, hint="a control of auditlake has this name: choose another")
    try:
        query = sandbox.check(control.sql)
        sandbox.check(f"SELECT problem FROM (\n{control.sql}\n) AS control")  # noqa: S608  # nosec B608 - as it will be asked, and only parsed
    except StorageError as error:
        raise StorageError("use the control", path, hint=f"{error.subject}: {error.hint}") from error
    if query.parameters:
        raise StorageError("use the control", path, hint=f"${min(query.parameters)}: a control has no parameters")
    return control


def _parsed(name: str, text: str, where: str) -> Control:
    if not _NAME.fullmatch(name):
        raise StorageError("use the control", where, hint="name the file in lower-case letters, digits and underscores")
    found = _HEADER.match(text)
    header: dict[str, str] = {}
    key = ""
    for line in found[1].splitlines() if found else ():
        if said := _KEY.match(line):
            key = said[1]
            header[key] = said[2].strip()
        elif key:
            header[key] += f" {line.removeprefix('--').strip()}"
    for needed in ("title", "rationale"):
        if not header.get(needed):
            raise StorageError("use the control", where, hint=f"its first lines have no `-- {needed}: …`; {_HINT}")
    return Control(
        name=name,
        title=header["title"],
        rationale=header["rationale"],
        reference=header.get("reference"),
        sql=text.rstrip().removesuffix(";"),
    )
