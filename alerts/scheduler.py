"""The alert process: evaluates rule files on their intervals, remembers, and delivers. One at a time per data directory.

    wait for the lease → wait for the lake → per group, at aligned instants: evaluate → commit → dispatch → wake the couriers

A group's rules are evaluated one after the other at one instant, behind the ingest watermark. What an evaluation found is committed
together with the events that tell it, then the dispatcher decides who is told, and commits that together with the messages. A process that
dies in between does again what is not committed; one that dies later repeats the delivery.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.exc import DatabaseError

from alerts.acks import Acks
from alerts.budgets.service import BudgetService
from alerts.changes import Changes
from alerts.enrichment import Enricher
from alerts.errors import AlertsError, Outdated, RuleFileError
from alerts.evaluate import Alert
from alerts.groups import Context, GroupRunner
from alerts.receivers.alertmanager import Peer
from alerts.receivers.receiver import Integration
from alerts.recipients import Recipients, Reread, Telling
from alerts.recordings import journalled
from alerts.routing import Routing
from alerts.rules import CheckSql, LoadedGroup, load_rules
from alerts.samples import Clean
from alerts.silences import Silences
from alerts.slo.keeping import KeptHours
from alerts.slo.rules import objective_groups
from alerts.state import AlertStore
from storage.durable import FileLock
from storage.errors import LakeLocked, StorageError
from storage.journal import Journal
from storage.lake import ABANDONED_AFTER_SECONDS, Lake
from storage.sharing import SharedTables

LAKE_MEMORY_MIB: Final = 384
LEASE_FILE: Final = "alerts.lock"
RETRY_SECONDS: Final = 1.0
KEEP: Final = timedelta(days=7)
PRUNE_EVERY: Final = timedelta(hours=1)
DEFAULT_QUERY_OFFSET_SECONDS: Final = 3.0
"""Sealing makes records readable within two seconds of their acknowledgement."""


Load = Callable[[Sequence[Path], Sequence[Path]], tuple[LoadedGroup, ...]]
"""Reads rule files, and files of objectives; raises RuleFileError."""


def utc_now() -> datetime:
    """Return the time, aware."""
    return datetime.now(UTC)


def run_scheduler(
    *,
    data: Path,
    rules: Sequence[Path],
    slos: Sequence[Path] = (),
    budgets: BudgetService | None = None,
    interval_seconds: float,
    receivers: Sequence[Integration],
    alertmanagers: Sequence[Peer] = (),
    stop: threading.Event,
    node: str,
    clean: Clean,
    policy_hash: str,
    external_url: str,
    routing: Routing | None = None,
    query_offset_seconds: float = DEFAULT_QUERY_OFFSET_SECONDS,
    abandoned_after_seconds: float = ABANDONED_AFTER_SECONDS,
    check_sql: CheckSql | None = None,
    reload: threading.Event | None = None,
    reread: Callable[[], Reread] | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> None:
    """Evaluate the rule files until `stop`; raises RuleFileError for bad ones and AlertsError when the state cannot be kept.

    A second scheduler on the same data directory waits as a standby; a lake that is not there yet is waited for. `reload` set: the
    files are read again, and `reread` says which, and who is told from then on, or raises AlertsError; what is bad keeps all that runs.
    `clean` is the redaction policy, `policy_hash` its name. Without a `routing` every receiver is told of everything; with
    `alertmanagers` routing is theirs, and only they are told.
    """
    kept = KeptHours()

    def load(rules: Sequence[Path], slos: Sequence[Path]) -> tuple[LoadedGroup, ...]:
        return _load(rules, slos, check_sql, kept, budgets)

    groups = load(rules, slos)
    recipients = Recipients(receivers=tuple(receivers), alertmanagers=tuple(alertmanagers), routing=routing, external_url=external_url)
    recipients.check_names()
    with ExitStack() as stack:
        opened = _open(data, stop, stack, abandoned_after_seconds)
        if opened is None:
            return
        lake, store = opened
        kept.connect(store)
        interval = timedelta(seconds=interval_seconds)
        journal = Journal(data, f"{node}/alerts", clean, policy_hash, lambda: int(clock().timestamp() * 1e9))
        telling = Telling(store, journal, interval=interval, clock=clock)
        stack.callback(telling.close)
        context = Context(
            data=data,
            lake=lake,
            store=store,
            notifier=telling.use(recipients),
            clean=clean,
            interval=interval,
            query_offset=timedelta(seconds=query_offset_seconds),
            stop=stop,
            record=journalled(journal),
            sharing=SharedTables(lake),
            enrich=Enricher(clean=clean, external_url=external_url),
        )
        changes = Changes(journal=journal, files=_files(rules, slos, budgets), clock=clock)
        if budgets is not None:
            stack.enter_context(budgets.running(lake))
        in_force = Reread(recipients=recipients, rules=rules, slos=slos, taken=lambda: None)
        reloader = _Reloader(load, reread or (lambda: in_force), telling, changes, budgets, clean)
        _loop(context, groups, telling, reload or threading.Event(), reloader, clock)


def _files(rules: Sequence[Path], slos: Sequence[Path], budgets: BudgetService | None) -> list[Path]:
    return [*rules, *slos, *(budgets.files if budgets is not None else ())]


def _load(
    rules: Sequence[Path], slos: Sequence[Path], check_sql: CheckSql | None, kept: KeptHours, budgets: BudgetService | None
) -> tuple[LoadedGroup, ...]:
    groups = (*load_rules(rules, check_sql=check_sql), *objective_groups(slos, check_sql=check_sql, kept=kept))
    if budgets is None:
        return groups
    budgets.load()()
    return (*groups, budgets.group())


def _loop(
    context: Context,
    groups: Sequence[LoadedGroup],
    telling: Telling,
    reload: threading.Event,
    reloader: "_Reloader",
    clock: Callable[[], datetime],
) -> None:
    log = structlog.get_logger(__name__)
    runner = GroupRunner(context, groups)
    damage = _DamageWatch(context)
    pruned = datetime.min.replace(tzinfo=UTC)
    alerts: list[Alert] | None = runner.alerts()  # of a process before this one, which may have died before it told them
    log.info("alert scheduler started", rules=runner.size, groups=len(groups))
    while not context.stop.is_set():
        if reload.is_set():
            reload.clear()
            if (found := reloader.reload(context)) is not None:
                context, runner = found
                alerts = runner.alerts()
        try:
            if runner.recall():
                alerts = runner.alerts()
            written, alerts = context.notifier.tick(clock(), alerts), None
            committed = runner.tick(clock())
            if committed:
                damage.look()
            if clock() - pruned > PRUNE_EVERY:
                pruned = clock()
                _prune(context.store, pruned)
        except Outdated:  # somebody was erased at this moment: what is remembered is read again
            continue
        except DatabaseError as error:  # a full or busy disk: nothing was committed, the evaluation is repeated
            log.error("the state of the alerts cannot be written, trying again", error=type(error).__name__)
            context.stop.wait(RETRY_SECONDS)
            continue
        if committed or written:
            telling.wake()
        context.stop.wait(runner.seconds_until_due(clock()))


def _prune(store: AlertStore, now: datetime) -> None:
    store.prune(now - KEEP)
    Silences(store).prune(now)
    Acks(store).prune(now - KEEP)


class _DamageWatch:
    """Tells once of each file that no rule sees because it is damaged: in the log, and to `auditlake alerts list`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known = {file.path: file for file in context.store.damaged()}

    def look(self) -> None:
        """Look at what the last evaluations left out. Raises DatabaseError."""
        try:
            left_out = {file.path: file for file in self._context.lake.damaged}
        except StorageError:  # the catalog cannot be read: the rules say so
            return
        if left_out.keys() == self._known.keys():
            return
        self._context.store.set_damaged(list(left_out.values()))
        log = structlog.get_logger(__name__)
        for path in sorted(left_out.keys() - self._known.keys()):
            file = left_out[path]
            log.warning("rules do not see a damaged file", path=path, reason=file.reason, rows=file.rows)
        self._known = left_out


class _Reloader:
    """Reads the configuration and the files again: all of it is taken over, or nothing."""

    def __init__(
        self, load: Load, reread: Callable[[], Reread], telling: Telling, changes: Changes, budgets: BudgetService | None, clean: Clean
    ) -> None:
        self._load = load
        self._reread = reread
        self._telling = telling
        self._changes = changes
        self._budgets = budgets
        self._clean = clean

    def reload(self, context: Context) -> tuple[Context, GroupRunner] | None:
        """Return what runs from now on, None when something is refused: then what ran goes on."""
        try:
            read = self._reread()
            read.recipients.check_names()
            groups = self._load(read.rules, read.slos)
        except RuleFileError as error:
            self._refuse([str(problem) for problem in error.problems])
        except AlertsError as error:
            self._refuse([str(error)])
        except Exception as error:  # noqa: BLE001 - whatever it is, what runs goes on; the message may hold text of the file
            self._refuse([f"unexpected: {type(error).__name__}"])
        else:
            return self._take(read, groups, context)
        return None

    def _take(self, read: Reread, groups: Sequence[LoadedGroup], context: Context) -> tuple[Context, GroupRunner]:
        enrich = Enricher(clean=self._clean, external_url=read.recipients.external_url)
        following = replace(context, notifier=self._telling.use(read.recipients), enrich=enrich)
        self._changes.taken(_files(read.rules, read.slos, self._budgets))
        read.taken()
        names = [receiver.name for receiver in read.recipients.receivers]
        structlog.get_logger(__name__).info("rules and receivers loaded again", groups=len(groups), receivers=names)
        return following, GroupRunner(following, groups)

    def _refuse(self, problems: list[str]) -> None:
        log = structlog.get_logger(__name__)
        log.error("the configuration or its rules are refused, what runs is kept", problems=problems)
        self._changes.refused(len(problems))


def _open(data: Path, stop: threading.Event, stack: ExitStack, silence_seconds: float) -> tuple[Lake, AlertStore] | None:
    """Return lake and state once this process is the one that evaluates and there is a lake; None: stopped."""
    if not _take_lease(data, stop, stack) or (lake := _wait_for_lake(data, stop, silence_seconds)) is None:
        return None
    stack.callback(lake.close)
    store = AlertStore.open(data)
    stack.callback(store.close)
    return lake, store


def _take_lease(data: Path, stop: threading.Event, stack: ExitStack) -> bool:
    """Wait until this process is the one that evaluates; the kernel gives the lease back when its holder dies. False: stopped."""
    told = False
    while not stop.is_set():
        try:
            stack.enter_context(FileLock(data / LEASE_FILE, "take the lease of the alert scheduler"))
        except LakeLocked as error:
            if not told:
                structlog.get_logger(__name__).warning("standing by: another alert scheduler runs", hint=error.hint)
                told = True
            stop.wait(RETRY_SECONDS)
        else:
            return True
    return False


def _wait_for_lake(data: Path, stop: threading.Event, silence_seconds: float) -> Lake | None:
    """Return the lake as soon as there is one; None: stopped."""
    told = False
    while not stop.is_set():
        try:
            # one thread: agents and collector need the rest
            return Lake.open(data, memory_limit_mib=LAKE_MEMORY_MIB, threads=1, abandoned_after_seconds=silence_seconds)
        except StorageError as error:
            if not told:
                structlog.get_logger(__name__).info("waiting for a lake", hint=error.hint)
                told = True
            stop.wait(RETRY_SECONDS)
    return None
