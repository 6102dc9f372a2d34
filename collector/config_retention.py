"""`extensions.retention`: how long rows are kept, and which backups outlive an erasure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, Field, model_validator

from collector.config_fields import Duration, Section
from storage.retention_rules import RetentionRule


class RetentionRuleConfig(Section):
    table: Literal["spans", "events", "metrics"] | None = None  # of which table; unset: of all
    tenant: str | None = Field(None, min_length=1)  # of which tenant; unset: of all, and of none
    keep: Duration = Field(ge=3600)  # how long after the record's own time


class BackupConfig(Section):
    name: str = Field(min_length=1)  # as `auditlake erase` tells it
    keep: Duration = Field(ge=0)  # how long a copy is kept: until then it holds what was erased meanwhile


class RetentionConfig(Section):
    rules: tuple[RetentionRuleConfig, ...] = ()  # the first that fits a row decides; a row that none fits stays for ever
    interval: Duration = Field(3600.0, ge=1)  # how often it is looked for what expired
    backups: tuple[BackupConfig, ...] = ()  # copies of the data directory that are made elsewhere

    @model_validator(mode="after")
    def _every_rule_counts(self) -> "RetentionConfig":
        for index, rule in enumerate(self.rules):
            before = next(
                (each for each in self.rules[:index] if each.table in {None, rule.table} and each.tenant in {None, rule.tenant}), None
            )
            if before is not None:
                raise ValueError(f"rules[{index}] has no effect: an earlier rule fits all its rows; put it before that one")
        return self

    @property
    def as_rules(self) -> tuple[RetentionRule, ...]:
        """Return the rules as storage takes them."""
        return tuple(RetentionRule(table=rule.table, tenant=rule.tenant, keep_seconds=rule.keep) for rule in self.rules)

    def retaining(self, identity_keys: tuple[str, ...]) -> "Retaining | None":
        """Return what a running collector does about it; None when everything is kept."""
        return Retaining(rules=self.as_rules, interval_seconds=self.interval, identity_keys=identity_keys) if self.rules else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retaining:
    """What is kept for how long, how often it is looked for what expired, and the attributes by which holds find people."""

    rules: tuple[RetentionRule, ...]
    interval_seconds: float
    identity_keys: tuple[str, ...]


def idle_retention_warnings(declared: Iterable[BaseModel], enabled: RetentionConfig | None) -> list[str]:
    """Return a warning when rules are written down that nobody follows."""
    idle = enabled is None and any(isinstance(each, RetentionConfig) and each.rules for each in declared)
    return ["extensions.retention has no effect: service.extensions does not name it, so everything is kept"] if idle else []
