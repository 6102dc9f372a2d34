"""One run over several traces: what joins them, and which run each trace then belongs to.

Traces state keys: `trace:<id>` for a span link, a dialect's own key where it knows better, `run:<id>` where records name their run. What
was stated is kept in the catalog, because the other trace may be sealed earlier, later, or never. The answer depends only on what
was stated and when the records say they happened, never on the order of arrival.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, Protocol

import structlog

from collector.dialects.record import ADOPTS, NAMES, NEARBY, OFFERS, OPENS, SAME_RUN, TURNS, WAITS
from storage.catalog import JoinRecord
from storage.layout import turn_name

MAX_TRACES: Final = 1_000
"""A run of more traces is not joined further: something links everything to everything."""
NO_RUN: Final = ""
"""Instead of a run: what belongs to several, and nobody knows what to which."""
_TRACE: Final = "trace:"
_RUN: Final = "run:"
_ADOPTION: Final = frozenset({ADOPTS, OFFERS})
_SHARED: Final = frozenset({SAME_RUN, NAMES, TURNS})


class Stated(Protocol):
    """What is needed of the catalog: everything that these traces stated, and who stated these keys."""

    def joins(self, *, traces: Sequence[str] = (), keys: Sequence[str] = ()) -> list[JoinRecord]: ...


def resolve(stated: Iterable[JoinRecord], known: Stated) -> dict[str, str | None]:
    """Return the run of every trace that is joined with a trace in `stated`; None for one that must be in no other run.

    A run's name stands for the trace of records that have none (`RunIndex.identify`), and may be of `NO_RUN`: then its records are told
    apart by their time, where names of the form `storage.layout.turn_name` say from when on they are of which run.
    """
    statements = _Statements(stated, known)
    runs: dict[str, str | None] = {}
    for trace in sorted(statements.given | statements.left()):
        if trace not in runs:
            runs |= _runs_of(statements.component(trace), statements)
    for trace in sorted({other for joined in runs for other in statements.nearby(joined)}):
        if statements.component(trace) == {trace} and _runs_of({trace}, statements)[trace] is None:
            runs[trace] = _run_nearby(trace, statements)
    return runs


class _Statements:
    """Statements given and known, loaded as far as they are needed."""

    def __init__(self, stated: Iterable[JoinRecord], known: Stated) -> None:
        self._known = known
        self._by_trace: dict[str, dict[str, JoinRecord]] = {}
        self._by_key: dict[str, dict[str, JoinRecord]] = {}
        self._before: dict[str, dict[str, JoinRecord]] = {}  # by key, of the catalog alone
        self._times: dict[str, set[int]] = {}  # when a trace stated anything, of the catalog alone
        self._loaded_traces: set[str] = set()
        self._loaded_keys: set[str] = set()
        for join in stated:
            self._note(join)
        self.given = frozenset(self._by_trace)
        self.load(sorted(self.given))
        self.load(sorted({key.removeprefix(_TRACE) for key in self._by_key if key.startswith(_TRACE)}))  # at once, not one by one

    def _note(self, join: JoinRecord) -> None:
        earlier = self._by_trace.get(join.trace_id, {}).get(join.key)
        if earlier is None or join.ns < earlier.ns:
            self._by_trace.setdefault(join.trace_id, {})[join.key] = join
            self._by_key.setdefault(join.key, {})[join.trace_id] = join

    def load(self, traces: Iterable[str]) -> None:
        """Fetch what these traces stated and who stated the same."""
        missing = [trace for trace in traces if trace not in self._loaded_traces]
        if not missing:
            return
        self._loaded_traces.update(missing)
        for join in self._known.joins(traces=missing):
            self._times.setdefault(join.trace_id, set()).add(join.ns)
            self._note(join)
        keys = {_TRACE + trace for trace in missing}
        keys.update(key for trace in missing for key in self._by_trace.get(trace, ()) if not key.startswith(_RUN))
        keys.update(other for join in self._of(missing) if join.role in _ADOPTION for other in _both(join.key))
        keys -= self._loaded_keys
        self._loaded_keys |= keys
        for join in self._known.joins(keys=sorted(keys)):
            self._before.setdefault(join.key, {})[join.trace_id] = join
            self._note(join)

    def of(self, trace: str) -> Mapping[str, JoinRecord]:
        """Return what a trace stated, by key."""
        return self._by_trace.get(trace, {})

    def times(self, trace: str) -> set[int]:
        """Return when a trace stated anything, as it is known now and as the catalog knew it before."""
        return {join.ns for join in self.of(trace).values()} | self._times.get(trace, set())

    def component(self, start: str) -> set[str]:
        """Return the traces that are one run with `start`."""
        found, frontier = {start}, {start}
        while frontier:
            self.load(sorted(frontier))
            frontier = {neighbour for trace in frontier for neighbour in self._neighbours(trace)} - found
            found |= frontier
            if len(found) > MAX_TRACES:
                structlog.get_logger(__name__).warning("too many traces are linked: not joined into one run", traces=len(found))
                return {start}
        return found

    def _neighbours(self, trace: str) -> set[str]:
        neighbours = set(self._by_key.get(_TRACE + trace, ()))
        for key, join in self.of(trace).items():
            if key.startswith(_TRACE):
                neighbours.add(key.removeprefix(_TRACE))
            elif key.startswith(NEARBY):
                continue
            elif join.role in _SHARED and not key.startswith(_RUN):
                neighbours |= {other for other, stated in self._by_key[key].items() if stated.role in _SHARED}
            else:
                pairs = self._adoptions_of(_both(key), self._by_key)
                neighbours |= {other for pair in pairs if trace in pair for other in pair}
        return neighbours

    def nearby(self, trace: str) -> set[str]:
        """Return the traces that were in the same place at the same time as `trace`, itself among them."""
        return {other for key in self.of(trace) if key.startswith(NEARBY) for other in self._by_key[key]}

    def left(self) -> set[str]:
        """Return the traces whose run an adopter leaves, because what is new was offered to it earlier."""
        changed = {_both(key) for key, stated in self._by_key.items() if any(join.role in _ADOPTION for join in stated.values())}
        lost = (self._adoptions_of(keys, self._before) - self._adoptions_of(keys, self._by_key) for keys in changed)
        return {trace for pairs in lost for pair in pairs for trace in pair}

    def _of(self, traces: Iterable[str]) -> Iterator[JoinRecord]:
        return (join for trace in traces for join in self.of(trace).values())

    @staticmethod
    def _adoptions_of(keys: Iterable[str], by_key: Mapping[str, Mapping[str, JoinRecord]]) -> set[tuple[str, str]]:
        return _adoptions(join for key in keys for join in by_key.get(key, {}).values())


def _both(key: str) -> tuple[str, str]:
    """The key under which something is offered, and the one under which it is waited for: a trace may do both."""
    offered = key.removesuffix(WAITS)
    return offered, offered + WAITS


def _adoptions(stated: Iterable[JoinRecord]) -> set[tuple[str, str]]:
    """Pairs of an adopter and the other trace that first offers, at or after the adopter's time, what it waits for."""
    known = list(stated)
    offers = sorted((join.ns, join.trace_id) for join in known if join.role == OFFERS)
    pairs = set()
    for join in known:
        place = bisect_left(offers, (join.ns, "")) if join.role == ADOPTS else len(offers)
        taker = next((trace for _, trace in offers[place:] if trace != join.trace_id), None)
        if taker is not None:
            pairs.add((join.trace_id, taker))
    return pairs


def _runs_of(component: set[str], statements: _Statements) -> dict[str, str | None]:
    """Which run each trace of a component belongs to."""
    named = {trace: sorted(key.removeprefix(_RUN) for key in statements.of(trace) if key.startswith(_RUN)) for trace in component}
    names = {name for of_trace in named.values() for name in of_trace}
    if not names:
        root = _root(component, statements) if len(component) > 1 else None
        return dict.fromkeys(component, _own_name(component, statements) or root)
    if len(names) == 1:
        runs: dict[str, str | None] = dict.fromkeys(component, names.pop())
    else:  # runs that know who they are stay apart, whatever links them; a trace with several runs in it has no one answer
        runs = {trace: of_trace[0] if len(of_trace) == 1 else _unknown(trace, statements) for trace, of_trace in named.items()}
    for key in sorted({key for trace in component for key, join in statements.of(trace).items() if join.role == TURNS}):
        runs |= _turns_of(key, {trace: named[trace] for trace in component if key in statements.of(trace)}, statements)
    return runs


def _turns_of(key: str, named: Mapping[str, Sequence[str]], statements: _Statements) -> dict[str, str | None]:
    """The runs of the traces of a conversation that name none, and from when on its records without a trace are of which run."""
    begins = {trace: min(join.ns for join in statements.of(trace).values()) for trace in named}
    turns = sorted((begins[trace], of_trace[0]) for trace, of_trace in named.items() if len(of_trace) == 1)
    opened = sorted(join.ns for trace in named for join in statements.of(trace).values() if join.role == OPENS)
    holder = key.partition(":")[2]
    runs: dict[str, str | None] = {turn_name(holder, ns): None for trace in named for ns in statements.times(trace)}
    if len({run for _, run in turns}) < 2:
        return runs
    turns = [
        (min((at for at in opened if earlier < at <= ns), default=ns), run) for (earlier, _), (ns, run) in pairwise([(-1, ""), *turns])
    ]
    runs |= {turn_name(holder, ns): run for ns, run in turns}
    for trace, of_trace in named.items():
        if not of_trace and trace != holder:
            runs[trace] = next((run for ns, run in reversed(turns) if ns <= begins[trace]), turns[0][1])
    return runs


def _unknown(holder: str, statements: _Statements) -> str | None:
    """None for a trace, which stays a run of its own; `NO_RUN` for a name that records without a trace share: they are of several."""
    return NO_RUN if any(key.partition(":")[2] == holder for key in statements.of(holder)) else None


def _run_nearby(trace: str, statements: _Statements) -> str | None:
    """The run of a trace that knows nothing of any: the only one that was in the same place at the same time."""
    around: dict[str, str | None] = {}
    for other in sorted(statements.nearby(trace)):
        if other not in around:
            around |= _runs_of(statements.component(other), statements)
    names = {run for other in statements.nearby(trace) if (run := around.get(other))}
    return names.pop() if len(names) == 1 else None


def _own_name(component: set[str], statements: _Statements) -> str | None:
    """The name that its framework gave the run, the first of several; None where it gave none."""
    stated = [join for trace in component for join in statements.of(trace).values() if join.role == NAMES]
    return min(stated, key=lambda join: (join.ns, join.key)).key.partition(":")[2] if stated else None


def _root(component: set[str], statements: _Statements) -> str:
    """The trace that gives a run its name: the one that links to no other, else adopts none, else is the first."""

    def order(trace: str) -> tuple[bool, int, str]:
        stated = statements.of(trace)
        follows = any(key.startswith(_TRACE) or join.role == ADOPTS for key, join in stated.items())
        return follows, min((join.ns for join in stated.values()), default=-1), trace

    return min(component, key=order)
