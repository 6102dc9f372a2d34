"""The rules of a gate: built in, or from a YAML file of the team's (docs/release-gate.md)."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from storage.contract.document import ContractFileError, Document, Problem, read_document
from storage.controls.control import BUILT_IN
from storage.errors import StorageError
from storage.gate.measures import EVALUATIONS, MEASURES, Measure
from storage.wording import KeyPath, unknown

_NAMES: Final = (*(measure.name for measure in MEASURES), EVALUATIONS)
_HINT: Final = "docs/release-gate.md lists the keys"
_FORMS: Final = ("Rule", "literal[False]", "tuple[str, ...]", "literal['safety','all','none']")
"""What pydantic calls the forms that a value can have."""

SAFETY: Final = (
    "policy_before_side_effect", "approval_before_execution", "approval_by_another", "denied_not_executed", "denied_sources_unread",
    "memory_retention", "model_version_recorded", "runs_end",
)  # fmt: skip
"""The controls that a gate asks unless it is told otherwise: what an agent did, not how well it was recorded."""


class Rule(BaseModel):
    """How one check is judged; what is not said is as built in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tolerance: float | None = Field(
        default=None, ge=0, allow_inf_nan=False
    )  # so much worse than the baseline is as good; 0.1 of a ratio is 10 %
    min: float | None = Field(default=None, allow_inf_nan=False)  # the release's own value must not be below
    max: float | None = Field(default=None, allow_inf_nan=False)  # nor above
    required: bool | None = None  # closed where neither release has data
    prove: bool = False  # it does not suffice that no harm shows: the interval must exclude it


class Thresholds(BaseModel):
    """All rules of a gate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alpha: float = Field(default=0.05, gt=0, le=0.5)  # the chance that two identical releases close the gate, over all comparisons
    min_samples: int = Field(default=30, ge=2)  # runs (pairs, evaluated runs) that each release needs for a check
    checks: dict[str, Rule | Literal[False]] = Field(default_factory=dict)  # by name; false leaves a check out
    controls: Literal["safety", "all", "none"] | tuple[str, ...] = "safety"  # `SAFETY`, every built-in control, none, or these
    contract_runs: int = Field(default=200, ge=1)  # runs that a contract of --contract is checked on, at most

    @property
    def evaluations(self) -> list[str]:
        """The evaluations that have a rule of their own; every one of them is looked for."""
        prefix = f"{EVALUATIONS}:"
        return [name.removeprefix(prefix) for name, rule in self.checks.items() if name.startswith(prefix) and rule]

    @property
    def asked(self) -> tuple[str, ...] | None:
        """The controls to ask; None for all."""
        if isinstance(self.controls, tuple):
            return self.controls
        return {"safety": SAFETY, "all": None, "none": ()}[self.controls]

    def rule(self, measure: Measure) -> Rule | None:
        """Return the rule of a measure, filled up with what is built in; None where it is left out."""
        given = self.checks.get(measure.name)
        if given is None and measure.name.startswith(f"{EVALUATIONS}:"):
            given = self.checks.get(EVALUATIONS)
        if given is False:
            return None
        rule = given or Rule()
        return rule.model_copy(
            update={
                "tolerance": measure.tolerance if rule.tolerance is None else rule.tolerance,
                "required": measure.required if rule.required is None else rule.required,
            }
        )


ABSOLUTE: Final = {"success_rate": Rule(min=0.95), "tool_error_rate": Rule(max=0.05)}
"""The limits where there is neither a baseline nor a file that sets any."""


def load(path: Path) -> Thresholds:
    """Return the thresholds of a YAML file. Raises `StorageError` that names every key in the way, and its line."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise StorageError("read the thresholds", path, hint=error.strerror or "check the path") from None
    except UnicodeDecodeError:
        raise _refused(path, ["it is not UTF-8 text"]) from None
    try:
        document = read_document(text, str(path))
    except ContractFileError as error:
        raise _refused(path, error.problems) from None
    try:
        found = Thresholds.model_validate(document.values if document.values is not None else {})
    except ValidationError as error:
        raise _refused(path, _problems(document, error)) from None
    problems = [
        document.problem(("checks", name), unknown("check", name, (*_NAMES, "eval:<name>")))
        for name in found.checks
        if name not in _NAMES and not name.startswith(f"{EVALUATIONS}:")
    ]
    asked = found.controls if isinstance(found.controls, tuple) else ()
    problems += [document.problem(("controls",), unknown("control", name, BUILT_IN)) for name in asked if name not in BUILT_IN]
    if problems:
        raise _refused(path, problems)
    return found


def _refused(path: Path, problems: Iterable[object]) -> StorageError:
    return StorageError("read the thresholds", path, hint=f"{'; '.join(str(problem) for problem in problems)}; {_HINT}")


def _problems(document: Document, error: ValidationError) -> list[Problem]:
    """What is wrong, by the keys of the file: a check is a rule or `false`, and pydantic tells why it is neither."""
    found: dict[KeyPath, str] = {}
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        where = tuple(part for part in detail["loc"] if part not in _FORMS)
        message = detail["msg"]
        if detail["type"] == "extra_forbidden":
            message = unknown("key", str(where[-1]), Rule.model_fields if "checks" in where else Thresholds.model_fields)
        elif detail["type"] == "model_type":
            message = "must be a mapping of keys" if not where else "must be a mapping of keys, or false"
        found.setdefault(where, message)
    told = [where for where in found if not any(len(other) > len(where) and other[: len(where)] == where for other in found)]
    return [document.problem(where, found[where]) for where in told]
