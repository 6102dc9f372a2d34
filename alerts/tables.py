"""The tables of `<data>/alerts.sqlite`. Times are text, RFC 3339 in UTC with microseconds, so that they sort and read as they are."""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Boolean, Column, Dialect, Float, ForeignKey, Index, Integer, MetaData, Table, Text, TypeDecorator, text

SCHEMA_VERSION: Final = 2


class Time(TypeDecorator[datetime]):
    """An aware UTC time as text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Write RFC 3339 with microseconds."""
        del dialect
        return None if value is None else rfc3339(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Read what `process_bind_param` wrote."""
        del dialect
        return None if value is None else datetime.fromisoformat(value)


def rfc3339(moment: datetime) -> str:
    """Return an aware time as RFC 3339 in UTC with microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


METADATA: Final = MetaData()

RULES: Final = Table(
    "rules",
    METADATA,
    Column("rule", Text, primary_key=True),
    Column("rule_group", Text, nullable=False),
    Column("alertname", Text, nullable=False),
    Column("interval_seconds", Float, nullable=False),
    Column("evaluated_at", Time),  # instant of the last evaluation, also of one that failed
    Column("duration_ms", Float),
    Column("rows", Integer),
    Column("error", Text),  # of the last evaluation
    Column("error_since", Time),
    Column("missed", Integer, nullable=False, server_default=text("0")),  # evaluations that never took place
)

NO_DATA: Final = Table(
    "no_data",
    METADATA,
    Column("rule", Text, ForeignKey("rules.rule", ondelete="CASCADE"), primary_key=True),  # one whose last answer had rows without a value
    Column("label_sets", Integer, nullable=False),  # how many
    Column("since", Time, nullable=False),
)

ALERTS: Final = Table(
    "alerts",
    METADATA,
    Column("rule", Text, ForeignKey("rules.rule", ondelete="CASCADE"), primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("labels", Text, nullable=False),  # JSON
    Column("annotations", Text, nullable=False),  # JSON
    Column("value", Float, nullable=False),
    Column("state", Text, nullable=False),  # pending firing resolved
    Column("active_at", Time, nullable=False),
    Column("fired_at", Time),
    Column("resolved_at", Time),
    Column("keep_firing_since", Time),
)

EVALUATIONS: Final = Table(
    "evaluations",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("at", Time, nullable=False),  # the instant that was evaluated
    Column("eval_ts", Time, nullable=False),  # $eval_ts: that instant, behind the ingest watermark
    Column("duration_ms", Float, nullable=False),
    Column("rows", Integer),
    Column("error", Text),
    Column("missed", Integer, nullable=False),  # evaluations that were due between the one before and this one
    Index("evaluations_at", "at"),
    Index("evaluations_rule_at", "rule", "at"),
)

DAMAGED: Final = Table(
    "damaged",
    METADATA,
    Column("path", Text, primary_key=True),  # of a file that no rule sees
    Column("reason", Text, nullable=False),
    Column("rows", Integer, nullable=False),
)

ORDERS: Final = Table(  # one row: how many orders of erasure there were
    "orders",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("number", Integer, nullable=False),
)

OUTBOX: Final = Table(
    "outbox",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),  # the receiver's idempotency key
    Column("receiver", Text, nullable=False),
    Column("group_key", Text, nullable=False),  # messages of one group reach a receiver in order
    Column("body", Text, nullable=False),  # JSON, ready to send
    Column("created_at", Time, nullable=False),
    Column("due_at", Time, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("delivered_at", Time),
    Column("dead", Boolean, nullable=False, server_default=text("0")),  # given up, kept to be seen
    Column("error", Text),
    Index("outbox_open", "receiver", "group_key", sqlite_where=text("delivered_at IS NULL AND dead = 0")),
)

GROUPS: Final = Table(
    "groups",
    METADATA,
    Column("route", Text, primary_key=True),  # id of the route
    Column("group_key", Text, primary_key=True),  # Alertmanager's: matchers down to the route, and the group's labels
    Column("labels", Text, nullable=False),  # JSON: the labels that its alerts have in common
    Column("due_at", Time, nullable=False),  # when it is looked at next
    Column("flushed_at", Time),  # when it was looked at last
)

MEMBERS: Final = Table(
    "members",
    METADATA,
    Column("route", Text, primary_key=True),
    Column("group_key", Text, primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("labels", Text, nullable=False),  # JSON
    Column("annotations", Text, nullable=False),  # JSON
    Column("value", Float, nullable=False),
    Column("active_at", Time, nullable=False),
    Column("fired_at", Time),
    Column("resolved_at", Time),  # NULL: it fires; else it waits to be told as resolved
)

NOTIFICATIONS: Final = Table(
    "notifications",
    METADATA,
    Column("group_key", Text, primary_key=True),
    Column("receiver", Text, primary_key=True),  # its name in the outbox
    Column("firing", Text, nullable=False),  # JSON: fingerprints of the alerts that were told as firing
    Column("resolved", Text, nullable=False),  # JSON: … as resolved
    Column("at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
)

SILENCES: Final = Table(
    "silences",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("matchers", Text, nullable=False),  # JSON: texts of matchers
    Column("starts_at", Time, nullable=False),
    Column("ends_at", Time, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("updated_at", Time, nullable=False),
)

ACKS: Final = Table(
    "acks",
    METADATA,
    Column("fingerprint", Text, primary_key=True),
    Column("fired_at", Time, primary_key=True),  # of the alert: when it fires again, it is another one
    Column("alertname", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("ended_at", Time),  # when it was taken back, or its alert resolved
    Column("told_at", Time),  # when receivers that know acknowledgements were told
)
