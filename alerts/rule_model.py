"""What a rule file may say: groups of alerting and recording rules, one commented field each."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from alerts.evaluate import NoData
from alerts.sections import Duration, Name, Parameter, Section, Text

NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
RECORDED_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
RECORDING: Final = ";record"
"""The end of the keys of recording rules."""

VALUE_COLUMN: Final = "value"
EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - naive UTC, as every time of the lake

CheckSql = Callable[[str, Mapping[str, Any]], object]
"""Takes an expression and its parameters; raises StorageError or AlertsError when no rule may use it."""


class Rule(Section):
    """One alerting rule or one recording rule."""

    alert: Name | None = None  # the alert's name: label `alertname`
    record: Text | None = None  # or the name under which the values are recorded
    expr: Text = Field(min_length=1)  # one SELECT; a row is an alert: column `value` is its value, the other columns are its labels
    wait: Duration = Field(timedelta(), alias="for")  # how long the row must be there before the alert fires
    keep_firing_for: Duration = timedelta()  # how long it keeps firing after its row vanished
    no_data: NoData = NoData.KEEP  # what becomes of an alert whose row has no value: keep, ok (resolve) or alerting (fire)
    labels: dict[str, Text] = Field(default_factory=dict)  # added to every alert of the rule; templates over `labels`
    annotations: dict[str, Text] = Field(default_factory=dict)  # sentences and links; templates over `labels` and `value`

    @property
    def name(self) -> str:
        """The name of what it raises or records."""
        return self.alert or self.record or ""

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        if self.alert is not None and self.record is not None:
            raise ValueError("only one of 'record' and 'alert' must be set")
        if self.alert is None and self.record is None:
            raise ValueError("one of 'record' or 'alert' must be set")
        if self.record is not None:
            if not RECORDED_NAME.fullmatch(self.record):
                raise ValueError("the name of a recording rule is letters, digits, _ and :")
            others = {"for": self.wait, "keep_firing_for": self.keep_firing_for, "annotations": self.annotations}
            for key, value in {**others, "no_data": self.no_data is not NoData.KEEP}.items():
                if value:
                    raise ValueError(f"invalid field {key!r} in recording rule")
        return self


class Group(Section):
    """Rules that are evaluated one after the other at the same instant."""

    name: Text = Field(min_length=1)  # unique in the file
    type: Literal["duckdb"] = "duckdb"  # the language of the expressions
    interval: Annotated[Duration, Field(gt=timedelta())] | None = None  # how often; default: the scheduler's interval
    query_offset: Annotated[Duration, Field(ge=timedelta())] | None = None  # how far $eval_ts lies behind; default: the scheduler's
    lookback: Annotated[Duration, Field(gt=timedelta())] | None = None  # how far behind $eval_ts expressions look; default: everything
    limit: int = Field(0, ge=0)  # most alerts or series of a rule; more is an error, and clears or records none; 0: no limit
    labels: dict[str, Text] = Field(default_factory=dict)  # added to every alert of the group; a rule's own labels win
    params: dict[str, Parameter] = Field(default_factory=dict)  # values of $name in the expressions
    rules: tuple[Rule, ...] = ()


class RuleFile(Section):
    """One file."""

    groups: tuple[Group, ...] = ()
