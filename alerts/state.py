"""What the alert process remembers, in `<data>/alerts.sqlite`: alerts, rules, evaluations, and the outbox of messages to deliver.

Transitions and the messages that tell them are committed in one transaction: after a crash either both are there or neither, and
the evaluation is repeated. A message stays in the outbox until its receiver took it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

from sqlalchemy import Connection, Engine, RowMapping, bindparam, create_engine, delete, event, func, select, text
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DatabaseError, OperationalError

from alerts.errors import AlertsError, Outdated
from alerts.evaluate import Alert, State
from alerts.outbox import Message, Outbox, forget_finished, post, writing
from alerts.tables import ALERTS, DAMAGED, EVALUATIONS, METADATA, NO_DATA, ORDERS, RULES, SCHEMA_VERSION
from storage.durable import held_here

if TYPE_CHECKING:
    from storage.damage import Damage

FILE_NAME: Final = "alerts.sqlite"
ORDER_FILE: Final = "alerts.order.lock"
"""Who erases holds it (`alerts.forgetting.at_work`)."""
BUSY_SECONDS: Final = 10.0
MOST_EVALUATIONS: Final = 1_000_000
"""Some 200 MB: five hundred rules make so many in less than a day."""
_STATUS: Final = ("rule_group", "alertname", "interval_seconds", "evaluated_at", "duration_ms", "rows", "error", "error_since")
"""The columns of `rules` that say how the last evaluation went."""

__all__ = ["BUSY_SECONDS", "FILE_NAME", "AlertStore", "Evaluation", "Message", "RuleStatus"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One rule evaluated once, and the alerts that it left."""

    rule: str
    rule_group: str
    alertname: str
    interval: timedelta
    at: datetime
    eval_ts: datetime
    duration_ms: float
    rows: int | None
    error: str | None
    error_since: datetime | None
    missed: int  # evaluations that were due since the one before and never took place
    alerts: Mapping[str, Alert]
    known: Mapping[str, Alert] = field(default_factory=dict)  # what is stored of them: only what differs is written
    no_data: int = 0  # rows without a value
    no_data_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleStatus:
    """How a rule fared last."""

    rule: str
    rule_group: str
    alertname: str
    interval: timedelta
    evaluated_at: datetime | None
    duration_ms: float | None
    rows: int | None
    error: str | None
    error_since: datetime | None
    missed: int
    no_data: int = 0  # rows of the last answer that had no value
    no_data_since: datetime | None = None


class AlertStore(Outbox):
    """The state of one data directory; one instance may be used by several threads."""

    def __init__(self, engine: Engine, data: Path, *, orders: int) -> None:
        super().__init__(engine)
        self._data = data
        self._orders = orders

    @classmethod
    def open(cls, data: Path, *, read_only: bool = False) -> Self:
        """Open the state; raises AlertsError when it is not there (read-only) or not usable."""
        path = data / FILE_NAME
        if read_only and not path.exists():
            raise _nothing_yet(path)
        location = f"file:{quote(str(path.absolute()))}?mode={'ro' if read_only else 'rwc'}&uri=true"
        engine = create_engine(f"sqlite:///{location}", connect_args={"timeout": BUSY_SECONDS})
        if not read_only:
            event.listen(engine, "connect", _configure)
        orders = 0
        try:
            with engine.begin() as connection:
                version = _version(connection, path)
                if version == 0 and read_only:
                    raise _nothing_yet(path)
                if version < SCHEMA_VERSION and read_only:
                    raise AlertsError("read the state of the alerts", path, hint="an older auditlake wrote it: start `auditlake up`")
                if not read_only:
                    METADATA.create_all(connection)
                    connection.execute(text(f"PRAGMA user_version = {SCHEMA_VERSION:d}"))
                    orders = _orders(connection)
        except DatabaseError as error:
            engine.dispose()
            hint = "is the directory writable?" if isinstance(error, OperationalError) else "move the file away: alerts begin anew"
            raise AlertsError("open the state of the alerts", path, hint=hint) from error
        except AlertsError:
            engine.dispose()
            raise
        return cls(engine, data, orders=orders)

    @property
    def engine(self) -> Engine:
        """The database, for the parts of `alerts` that keep tables of their own in it."""
        return self._engine

    def close(self) -> None:
        """Release the file."""
        self._engine.dispose()

    def begin(self) -> AbstractContextManager[Connection]:
        """Return a transaction: it is committed at the end of the block, and undone when the block raises."""
        return self._engine.begin()

    # what was erased

    @property
    def orders(self) -> int:
        """How many orders of erasure there were when it was read what is remembered: as of `open`, or the last `recall`."""
        return self._orders

    def forgot(self) -> bool:
        """Say whether there was an order since: what is remembered may name whom it was about. Raises DatabaseError."""
        with self._engine.connect() as connection:
            return _orders(connection) != self._orders

    def recall(self) -> None:
        """What is remembered is read (again) from now on. Raises DatabaseError."""
        with self._engine.connect() as connection:
            self._orders = _orders(connection)

    @contextmanager
    def remembered(self) -> Iterator[Connection]:
        """Return a transaction for what is remembered. Raises Outdated when there was an order since; there is none before its end."""
        with writing(self._engine) as connection:
            if _orders(connection) != self._orders:
                raise Outdated
            yield connection

    def being_erased(self) -> bool:
        """Say whether an order is at work: what goes into the lake waits until it is done."""
        return held_here([self._data / ORDER_FILE])

    # what is known

    def alerts(self, rules: Sequence[str] | None = None) -> dict[str, dict[str, Alert]]:
        """Return rule → fingerprint → alert, of these rules or of all."""
        query = select(ALERTS) if rules is None else select(ALERTS).where(ALERTS.c.rule.in_(rules))
        found: dict[str, dict[str, Alert]] = {}
        with self._engine.connect() as connection:
            for row in connection.execute(query).mappings():
                found.setdefault(row["rule"], {})[row["fingerprint"]] = _alert(row)
        return found

    def rules(self) -> list[RuleStatus]:
        """Return how each rule fared last, by group and name."""
        with self._engine.connect() as connection:
            columns = [*RULES.c, func.coalesce(NO_DATA.c.label_sets, 0).label("no_data"), NO_DATA.c.since.label("no_data_since")]
            query = select(*columns).select_from(RULES.outerjoin(NO_DATA, NO_DATA.c.rule == RULES.c.rule))
            rows = connection.execute(query.order_by(RULES.c.rule_group, RULES.c.alertname, RULES.c.rule)).mappings().all()
        names = [name for name in RuleStatus.__dataclass_fields__ if name != "interval"]
        return [RuleStatus(interval=timedelta(seconds=row["interval_seconds"]), **{name: row[name] for name in names}) for row in rows]

    def last_evaluation(self, rules: Sequence[str]) -> datetime | None:
        """Return the instant at which any of these rules was last evaluated."""
        with self._engine.connect() as connection:
            last: datetime | None = connection.execute(select(func.max(RULES.c.evaluated_at)).where(RULES.c.rule.in_(rules))).scalar()
        return last

    def commit(self, evaluations: Iterable[Evaluation], messages: Iterable[Message]) -> None:
        """Store what evaluations found, together with their messages: all of it or, after a crash, nothing. Raises Outdated."""
        with self.remembered() as connection:
            _store(connection, list(evaluations))
            post(connection, messages)

    def forget(self, rules: Sequence[str], messages: Iterable[Message]) -> None:
        """Remove rules that are no longer in any file, together with the messages that end their alerts. Raises Outdated."""
        with self.remembered() as connection:
            connection.execute(delete(RULES).where(RULES.c.rule.in_(rules)))
            post(connection, messages)

    def damaged(self) -> "list[Damage]":
        """Return the files of the lake that no rule sees, as the alert process last knew them."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(DAMAGED).order_by(DAMAGED.c.path)).mappings().all()
        if not rows:
            return []
        from storage.damage import Damage  # brings DuckDB, which `auditlake alerts list` seldom needs

        return [Damage(**row) for row in rows]

    def set_damaged(self, files: "Sequence[Damage]") -> None:
        """Remember these files, and no others, as ones that no rule sees."""
        with self._engine.begin() as connection:
            connection.execute(delete(DAMAGED))
            if files:
                connection.execute(insert(DAMAGED), [asdict(file) for file in files])

    def evaluations(self, *, since: datetime | None = None) -> list[dict[str, Any]]:
        """Return recorded evaluations, oldest first."""
        query = select(EVALUATIONS).order_by(EVALUATIONS.c.id)
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query if since is None else query.where(EVALUATIONS.c.at >= since)).mappings()]

    def prune(self, before: datetime, *, most: int = MOST_EVALUATIONS) -> None:
        """Forget evaluations and delivered or given-up messages that are older, and evaluations before the last `most`."""
        with self._engine.begin() as connection:
            newest = connection.execute(select(func.coalesce(func.max(EVALUATIONS.c.id), 0))).scalar_one()
            connection.execute(delete(EVALUATIONS).where((EVALUATIONS.c.at < before) | (EVALUATIONS.c.id <= newest - most)))
            forget_finished(connection, before)


def _configure(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _version(connection: Connection, path: Path) -> int:
    """Return the version of the tables, 0 while they are being made."""
    version = int(connection.execute(text("PRAGMA user_version")).scalar_one())
    if version > SCHEMA_VERSION:
        raise AlertsError("open the state of the alerts", path, hint="a newer auditlake wrote it: install that version")
    return version


def _orders(connection: Connection) -> int:
    return int(connection.execute(select(func.coalesce(func.max(ORDERS.c.number), 0))).scalar_one())


def _nothing_yet(path: Path) -> AlertsError:
    return AlertsError("read the state of the alerts", path, hint="no rule was evaluated here yet: start `auditlake up`")


def _store(connection: Connection, evaluations: Sequence[Evaluation]) -> None:
    if not evaluations:
        return
    new = insert(RULES)
    status = {name: new.excluded[name] for name in _STATUS} | {"missed": RULES.c.missed + new.excluded.missed}
    connection.execute(new.on_conflict_do_update(index_elements=["rule"], set_=status), [_status(each) for each in evaluations])
    recorded = ("rule", "at", "eval_ts", "duration_ms", "rows", "error", "missed")
    connection.execute(insert(EVALUATIONS), [{name: getattr(each, name) for name in recorded} for each in evaluations])
    connection.execute(delete(NO_DATA).where(NO_DATA.c.rule == bindparam("of")), [{"of": each.rule} for each in evaluations])
    without = [each for each in evaluations if each.no_data]
    if without:
        rows = [{"rule": each.rule, "label_sets": each.no_data, "since": each.no_data_since or each.at} for each in without]
        connection.execute(insert(NO_DATA), rows)
    _store_alerts(connection, evaluations)


def _status(evaluation: Evaluation) -> dict[str, Any]:
    same = ("rule", "rule_group", "alertname", "duration_ms", "rows", "error", "error_since", "missed")
    told = {name: getattr(evaluation, name) for name in same}
    return told | {"interval_seconds": evaluation.interval.total_seconds(), "evaluated_at": evaluation.at}


def _store_alerts(connection: Connection, evaluations: Sequence[Evaluation]) -> None:
    """Make the stored alerts of the rules what they are now, touching only those that changed."""
    gone = [{"of": each.rule, "mark": mark} for each in evaluations for mark in each.known if mark not in each.alerts]
    if gone:
        connection.execute(delete(ALERTS).where(ALERTS.c.rule == bindparam("of"), ALERTS.c.fingerprint == bindparam("mark")), gone)
    changed = [_row(each.rule, alert) for each in evaluations for mark, alert in each.alerts.items() if each.known.get(mark) != alert]
    if changed:
        upsert = insert(ALERTS)
        columns = {column.name: upsert.excluded[column.name] for column in ALERTS.c if not column.primary_key}
        connection.execute(upsert.on_conflict_do_update(index_elements=["rule", "fingerprint"], set_=columns), changed)


def _row(rule: str, alert: Alert) -> dict[str, Any]:
    names = ("fingerprint", "value", "state", "active_at", "fired_at", "resolved_at", "keep_firing_since")
    texts = {"labels": json.dumps(dict(alert.labels), sort_keys=True), "annotations": json.dumps(dict(alert.annotations), sort_keys=True)}
    return {"rule": rule, **texts, **{name: getattr(alert, name) for name in names}}


def _alert(row: RowMapping) -> Alert:
    names = ("fingerprint", "value", "active_at", "fired_at", "resolved_at", "keep_firing_since")
    texts = {name: json.loads(row[name]) for name in ("labels", "annotations")}
    return Alert(state=State(row["state"]), **texts, **{name: row[name] for name in names})
