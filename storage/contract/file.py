"""A trace-contract file: what a team requires of its runs beside the event contract, as YAML."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from storage.contract.document import ContractFileError, Document, Problem, read_document
from storage.contract.fields import required_fields, requirement
from storage.wording import KeyPath, unknown

Patterns = tuple[str, ...]
"""Names, where `*`, `?` and `[…]` stand for any text, as in a shell; upper and lower case differ."""
Limit = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _lists_are_tuples(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


class Tools(_Section):
    """Which tools a run may call, and what must come before."""

    allowed: Patterns | None = None  # no other tool is called
    forbidden: Patterns = ()  # none of these is called
    required: Patterns = ()  # each of these is called at least once
    require_approval: Patterns = ()  # each call of these has a granted approval of exactly that call, unexpired, before it
    require_policy: Patterns = ()  # each call of these has a policy decision before it that allows it and is not stale
    max_calls: Mapping[str, Count] = {}  # pattern → most calls in a run


class SideEffects(_Section):
    """What must come before a call that writes or reaches out (side effect `write` or `external`, or not stated)."""

    require_policy: bool = False  # a policy decision that allows it and is not stale
    require_approval: bool = False  # a granted, unexpired approval
    require_class: bool = False  # every tool call states its class: none, read, write or external


class Approvals(_Section):
    """What makes an approval one."""

    by_another: bool = True  # the approver is recorded, and is no actor and no agent of the run
    roles: Patterns | None = None  # only these roles approve


class Models(_Section):
    """Which models answer."""

    allowed: Patterns | None = None  # asked for and answered with
    forbidden: Patterns = ()
    providers: Patterns | None = None  # only these providers
    require_version: bool = False  # each call records the model that answered


class Eval(_Section):
    """An evaluation that a run must have, with its result; the last one of its name counts."""

    name: str
    min_score: Annotated[float, Field(allow_inf_nan=False)] | None = None
    passed: bool | None = None  # true: it must have passed


class Limits(_Section):
    """The most that a run may take. What is not known is no less than the limit: it is reported."""

    cost_usd: Limit | None = None
    duration_seconds: Limit | None = None
    steps: Count | None = None
    model_calls: Count | None = None
    tool_calls: Count | None = None
    errors: Count | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    total_tokens: Count | None = None


class Events(_Section):
    """Steps by their labels: a kind (`retrieval`), a name (`run.started`), or both with what the step is about (`tool:issue_refund`)."""

    required: Patterns = ()
    forbidden: Patterns = ()
    in_order: Patterns = ()  # each after the one before it; others may stand between


class Run(_Section):
    """How a run must end, and how whole its record must be."""

    status: tuple[Literal["ok", "error", "running", "abandoned"], ...] | None = None
    stop_reasons: Patterns | None = None
    complete: bool = False  # no missing parents and no missing numbers


class Privacy(_Section):
    """What redaction must not have had to do."""

    nothing_withheld: bool = False  # no value was withheld because redaction failed
    forbidden_entities: Patterns = ()  # none of these was found, such as CREDIT_CARD


class TraceContract(_Section):
    """What a team requires of its runs beside the event contract."""

    name: str  # shown in reports
    version: str | None = None  # of the contract; a text: put numbers in quotes
    description: str | None = None
    waived_fields: tuple[str, ...] = ()  # fields of the event contract that are not required: `tool: retry count`
    tools: Tools = Tools()
    side_effects: SideEffects = SideEffects()
    approvals: Approvals = Approvals()
    models: Models = Models()
    evals: tuple[Eval, ...] = ()
    limits: Limits = Limits()
    events: Events = Events()
    run: Run = Run()
    privacy: Privacy = Privacy()

    @field_validator("waived_fields")
    @classmethod
    def _known_fields(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        known = {requirement(event, field) for event, fields in required_fields().items() for field in fields}
        for name in names:
            if name not in known:
                raise ValueError(unknown("field", name, known))
        return names

    @property
    def title(self) -> str:
        """Its name and version."""
        return self.name if self.version is None else f"{self.name} {self.version}"

    def waives(self, event: str, field: str) -> bool:
        """Whether a field of the event contract is not required."""
        return requirement(event, field) in self.waived_fields


_MESSAGES: Final = {"Field required": "is required", "Input should be a valid dictionary or instance of": "must be a mapping of keys:"}


def load_contract(path: Path) -> TraceContract:
    """Read and check a trace-contract file; raises `ContractFileError` with every problem, each with its line and key."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ContractFileError(str(path), [Problem(line=1, path="", message=f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise ContractFileError(str(path), [Problem(line=1, path="", message="is not UTF-8 text")]) from None
    document = read_document(text, str(path))
    if not isinstance(document.values, dict):
        raise ContractFileError(str(path), [document.problem((), "must be a mapping: `name:` and what is required")])
    try:
        return TraceContract.model_validate(document.values)
    except ValidationError as error:
        raise ContractFileError(str(path), list(_problems(document, error))) from None


def _problems(document: Document, error: ValidationError) -> list[Problem]:
    found = []
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        where: KeyPath = tuple(detail["loc"])
        if detail["type"] == "extra_forbidden":
            message = unknown("key", str(where[-1]), _keys_at(where[:-1]))
        else:
            message = detail["msg"].removeprefix("Value error, ")
            message = next((message.replace(theirs, ours) for theirs, ours in _MESSAGES.items() if theirs in message), message)
        found.append(document.problem(where, message))
    return found


def _keys_at(path: KeyPath) -> list[str]:
    """Return the keys of the section that stands at `path`."""
    model: type[BaseModel] = TraceContract
    for part in path:
        annotation = model.model_fields[part].annotation if isinstance(part, str) else None
        for each in (annotation, *getattr(annotation, "__args__", ())):
            model = each if isinstance(each, type) and issubclass(each, BaseModel) else model
    return list(model.model_fields)
