"""Budgets within the alert process: counts what is spent, notes the rungs that are reached, and knows the answer to who asks.

    budgets, or records, have changed → count the days concerned → how do budgets stand? → note the rungs → answer from now on

It has a thread of its own, so that neither rules nor answers wait for it, and spends a twentieth of one processor at most on counting. What
it counted is durable: a restart goes on where it was.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Final

import structlog
from sqlalchemy.exc import DatabaseError

from alerts.budgets.answers import Answers
from alerts.budgets.file import StoredName, load_budgets
from alerts.budgets.model import Budget, in_force
from alerts.budgets.rule import burn_group
from alerts.budgets.rungs import Reached, reached
from alerts.budgets.spending import Accountant, DayLake
from alerts.budgets.standing import Ledger, Standing
from alerts.budgets.store import BudgetStore, RungKey, rung_key
from alerts.errors import NotYet, Outdated
from alerts.rules import LoadedGroup
from alerts.watermark import evaluation_time, ingest_watermark
from storage.spare_memory import leave_out_what_stays

LOOK_SECONDS: Final = 1.0
"""How often it is looked whether budgets were set or removed, or a day has begun."""
SHARE: Final = 20
"""One part in so many of a processor's time is spent on counting, where the lake is large."""
HISTORY_PAUSE_SECONDS: Final = 5.0
RETRY_SECONDS: Final = 10.0
QUERY_OFFSET: Final = timedelta(seconds=3)
"""Sealing makes records readable within two seconds of their acknowledgement."""

Endpoint = Callable[[Callable[[], Answers | None]], AbstractContextManager[object]]
"""Answers requests while it is entered; is given what knows how budgets stand. Raises an error with a `hint` when it cannot listen."""


class BudgetService:
    """The budgets of one data directory: those of the files from `load` on. `answers` is None until everything was counted once."""

    def __init__(
        self,
        data: Path,
        *,
        files: Sequence[Path],
        stored_name: StoredName,
        interval_seconds: float,
        clock: Callable[[], datetime],
        endpoint: Endpoint | None = None,
    ) -> None:
        self._data = data
        self._files = files
        self._stored_name = stored_name
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._endpoint = endpoint
        self._stop = threading.Event()
        self._of_files: Sequence[Budget] = ()
        self._files_changed = True
        self._reached: dict[RungKey, dict[str, Reached]] = {}
        self._answering = threading.Lock()
        self._known = False  # what rules are told is as of now
        self._loaded = False
        self.answers: Answers | None = None

    def load(self) -> Callable[[], None]:
        """Read the files; returns what puts them into force. Raises BudgetFileError, and nothing has changed."""
        budgets = load_budgets(self._files, stored_name=self._stored_name)

        def use() -> None:
            self._of_files, self._files_changed = budgets, True

        return use

    @property
    def files(self) -> Sequence[Path]:
        """The budget files."""
        return self._files

    def group(self) -> LoadedGroup:
        """Return the rule that tells the rungs."""
        return burn_group(self._standings, self.forget)

    def forget(self) -> None:
        """Somebody was erased: rules know nothing of budgets until they are counted again."""
        with self._answering:
            self._known = False

    @contextmanager
    def running(self, lake: DayLake) -> Iterator[None]:
        """Count in the background while the body runs. Raises AlertsError when the state cannot be opened."""
        store = BudgetStore.open(self._data)
        thread = threading.Thread(target=self._run, args=(lake, store), name="budgets", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(10)
            if not thread.is_alive():  # else it still counts: the process ends, and what is counted is stored whole or not at all
                store.close()

    def refresh(self, accountant: Accountant, store: BudgetStore, budgets: Sequence[Budget]) -> bool:
        """Count what has changed, and answer from then on; False while there is history to count.

        Raises StorageError, DatabaseError, and Outdated when somebody was erased meanwhile: nothing of what was counted is known.
        """
        as_of = evaluation_time(self._clock(), QUERY_OFFSET, ingest_watermark(self._data)).astimezone(UTC)
        whole = accountant.refresh(budgets, as_of=as_of)
        told = budgets if whole else [replace(budget, forecast=False) for budget in budgets]  # without its history it is another one
        answers = Answers(told, accountant.ledger, as_of=as_of)
        changed = self._rungs(answers.standings, as_of)
        if changed:
            store.store_reached(changed)
            self._reached |= changed
        with self._answering:
            if store.forgot():
                raise Outdated
            self.answers, self._known = answers, True
        if whole and not self._loaded:
            leave_out_what_stays()
            self._loaded = True
        return whole

    def without_budgets(self) -> None:
        """Know that there is no budget, or none any more. What was counted stays: another one may be set."""
        with self._answering:
            if self.answers is not None:
                self.answers = Answers((), Ledger(), as_of=self._clock())
            self._known = True

    def _rungs(self, standings: Sequence[Standing], at: datetime) -> dict[RungKey, dict[str, Reached]]:
        """Return what is to be remembered otherwise than it is."""
        found = {rung_key(standing): reached(standing, self._reached.get(rung_key(standing), {}), at=at) for standing in standings}
        return {key: rungs for key, rungs in found.items() if rungs != self._reached.get(key, {})}

    def _standings(self) -> Iterator[tuple[Standing, Mapping[str, Reached]]]:
        with self._answering:
            answers = self.answers
            if not self._known:  # after a start, or when somebody was erased: alerts of before stay
                raise NotYet
        for standing in answers.standings if answers is not None else ():
            yield standing, self._reached.get(rung_key(standing), {})

    def _run(self, lake: DayLake, store: BudgetStore) -> None:
        with ExitStack() as served:
            rounds = _Rounds(self, lake, store, served)
            while not self._stop.is_set():
                went_well = rounds.attempt("serve budgets", rounds.serve) & rounds.attempt("count budgets", rounds.count)
                self._stop.wait(LOOK_SECONDS if went_well else RETRY_SECONDS)

    def serve(self, served: ExitStack) -> None:
        """Answer requests until `served` is left, if there is an endpoint. Raises what that raises."""
        if self._endpoint is not None:
            served.enter_context(self._endpoint(lambda: self.answers))

    def take_files(self, store: BudgetStore) -> None:
        """Put the budgets of the files into the store, where commands see them, when they are new."""
        if self._files_changed:
            store.replace_files(self._of_files)
            self._files_changed = False

    def remember(self, store: BudgetStore) -> None:
        """Take over the rungs that were reached before this process began."""
        self._reached = store.reached()

    @property
    def today(self) -> date:
        """The UTC day."""
        return self._clock().astimezone(UTC).date()

    @property
    def interval_seconds(self) -> float:
        """How often what is new is counted, where that is quick."""
        return self._interval_seconds


class _Rounds:
    """When it is time to count: at intervals, when budgets have changed, and when a day has begun; and to answer: once there is one."""

    def __init__(self, service: BudgetService, lake: DayLake, store: BudgetStore, served: ExitStack) -> None:
        self._service = service
        self._lake = lake
        self._store = store
        self._served = served
        self._is_served = False
        self._accountant: Accountant | None = None
        self._budgets: Sequence[Budget] = ()
        self._day: date | None = None
        self._due = 0.0
        self._failures: dict[str, str] = {}

    def attempt(self, what: str, work: Callable[[], None]) -> bool:
        """Do something that is tried again when it fails, and log a failure once. Returns whether it went well."""
        log = structlog.get_logger(__name__)
        try:
            work()
        except Outdated:  # somebody was erased at this moment: the next time begins with what is left
            return True
        except Exception as error:  # noqa: BLE001 - the boundary of a thread: it is logged, and tried again
            why = getattr(error, "hint", None) or type(error).__name__
            if self._failures.get(what) != why:
                tell = log.error if isinstance(error, DatabaseError) or hasattr(error, "hint") else log.exception
                tell("failed, trying again", attempted=what, subject=getattr(error, "subject", None), why=why)
            self._failures[what] = why
            return False
        self._failures.pop(what, None)
        return True

    def serve(self) -> None:
        """Answer requests as soon as there is a budget. Raises what the endpoint raises."""
        if not self._is_served and self._store.budgets():
            self._service.serve(self._served)
            self._is_served = True

    def count(self) -> None:
        """Count if it is time. Raises StorageError, AlertsError, DatabaseError, Outdated."""
        if self._store.forgot():
            self._store.recall()
            self._accountant, self._due = None, 0.0
        self._service.take_files(self._store)
        budgets, today = in_force(self._store.budgets()), self._service.today
        if budgets and self._accountant is None:
            self._service.remember(self._store)
            self._accountant = Accountant(self._lake, self._store)
        if self._accountant is None or not budgets:
            self._service.without_budgets()
        elif budgets != self._budgets or today != self._day or monotonic() >= self._due:
            started = monotonic()
            whole = self._service.refresh(self._accountant, self._store, budgets)
            wanted = self._service.interval_seconds if whole else HISTORY_PAUSE_SECONDS
            self._due = monotonic() + max(wanted, SHARE * (monotonic() - started))
            self._day = today
        self._budgets = budgets
