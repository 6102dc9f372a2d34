"""Which traces are one run: the answer depends on what was stated, never on the order of arrival."""

import itertools
from collections.abc import Iterable, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.dialects.record import ADOPTS, NAMES, OFFERS, OPENS, SAME_RUN, TURNS
from collector.joins import MAX_TRACES, NO_RUN, resolve
from storage.catalog import JoinRecord
from storage.layout import turn_name


class Known:
    """A catalog's joins, in memory."""

    def __init__(self) -> None:
        self.stated: dict[tuple[str, str], JoinRecord] = {}
        self.runs: dict[str, str | None] = {}

    def joins(self, *, traces: Sequence[str] = (), keys: Sequence[str] = ()) -> list[JoinRecord]:
        return [join for join in self.stated.values() if join.trace_id in set(traces) or join.key in set(keys)]

    def seal(self, joins: Iterable[JoinRecord]) -> None:
        """What the sealer does with a segment."""
        joins = list(joins)
        self.runs |= resolve(joins, self)
        for join in joins:
            earlier = self.stated.get((join.trace_id, join.key))
            self.stated[join.trace_id, join.key] = join if earlier is None or join.ns < earlier.ns else earlier

    def final(self) -> dict[str, str]:
        return {trace: run for trace, run in self.runs.items() if run is not None}


def link(trace: str, other: str, ns: int = 1) -> JoinRecord:
    return JoinRecord(trace_id=trace, key=f"trace:{other}", role=SAME_RUN, ns=ns)


def key(trace: str, name: str, role: str = SAME_RUN, ns: int = 1) -> JoinRecord:
    return JoinRecord(trace_id=trace, key=name, role=role, ns=ns)


def sealed(*segments: Sequence[JoinRecord]) -> dict[str, str]:
    known = Known()
    for segment in segments:
        known.seal(segment)
    return known.final()


def test_links_lead_to_the_trace_that_links_to_no_other():
    assert sealed([link("c", "b"), link("b", "a")]) == {"a": "a", "b": "a", "c": "a"}


def test_a_trace_that_was_sealed_earlier_joins_when_the_link_arrives():
    assert sealed([link("b", "a")], [link("d", "c")], [link("c", "b")]) == dict.fromkeys("abcd", "a")


def test_a_runs_own_name_holds_for_all_its_traces_and_the_first_of_nested_ones_wins():
    asked, resumed = key("a", "invocation:e-1", NAMES, 1), key("b", "invocation:e-1", NAMES, 9)
    nested = key("a", "invocation:e-2", NAMES, 5)
    assert sealed([nested], [asked], [resumed]) == sealed([resumed, asked, nested]) == {"a": "e-1", "b": "e-1"}
    assert sealed([asked], [key("a", "run:mine")]) == {"a": "mine"}  # what a record says goes before


def test_shared_keys_join_and_the_earliest_trace_names_the_run():
    assert sealed([key("resumed", "call:conv:1", ns=9)], [key("asked", "call:conv:1", ns=3)]) == {"asked": "asked", "resumed": "asked"}


def test_records_that_name_their_run_name_it_for_their_whole_trace():
    assert sealed([key("t", "run:R")]) == {"t": "R"}
    assert sealed([key("t", "run:R"), link("u", "t")]) == {"t": "R", "u": "R"}
    assert sealed([key("t", "run:R")], [key("u", "run:R")]) == {"t": "R", "u": "R"}


def test_runs_that_know_who_they_are_stay_apart_whatever_links_them():
    assert sealed([key("t", "run:R"), key("u", "run:S"), link("u", "t")]) == {"t": "R", "u": "S"}


def test_a_trace_with_two_runs_in_it_is_mapped_to_neither():
    assert sealed([key("t", "run:R")], [key("t", "run:S")]) == {}


def test_an_agent_created_once_belongs_to_the_first_run_that_invokes_it():
    created, first, second = key("created", "agent:x", ADOPTS, 5), key("run1", "agent:x", OFFERS, 7), key("run2", "agent:x", OFFERS, 9)
    before = key("run0", "agent:x", OFFERS, 2)
    for order in itertools.permutations([[created], [first], [second], [before]]):
        runs = sealed(*order)
        assert runs == {"created": "run1", "run1": "run1"} | {trace: trace for trace in runs if trace not in {"created", "run1"}}
        assert runs.get("run2", "run2") == "run2"


def test_what_names_nothing_is_of_the_only_run_that_was_nearby():
    noise, turn, other = (
        key("noise", "nearby:n", ns=1),
        [key("t", "nearby:n"), key("t", "run:R")],
        [key("u", "nearby:n"), key("u", "run:S")],
    )
    for order in itertools.permutations([[noise], turn]):
        assert sealed(*order) == {"noise": "R", "t": "R"}
    for order in itertools.permutations([[noise], turn, other]):
        assert sealed(*order) == {"t": "R", "u": "S"}


def test_turns_of_a_conversation_are_told_apart_by_time():
    """What names no turn is of the one that had begun last; records without a trace share a name, and are told apart by their own time."""
    first, second = (
        [key(name, "chat:c", TURNS, ns), key(name, f"run:{run}", ns=ns + 1)] for name, run, ns in (("t", "R", 10), ("u", "S", 20))
    )
    records, early, late = key("c", "chat:c", TURNS, 5), key("e", "chat:c", TURNS, 3), key("l", "chat:c", TURNS, 25)
    wanted = {"t": "R", "u": "S", "c": NO_RUN, turn_name("c", 10): "R", turn_name("c", 20): "S", "e": "R", "l": "S"}
    for order in itertools.permutations([first, second, [records], [early], [late]]):
        assert sealed(*order) == wanted
    assert sealed(first, [records], [early], [late])["c"] == "R"
    opened = sealed(
        first, second, [records, key("c", "chat:c:0", OPENS, 15)], [late], [key("i", "chat:c", TURNS, 14), key("i", "chat:c:0", OPENS, 14)]
    )
    assert (opened[turn_name("c", 14)], opened["i"]) == ("S", "S")
    moved = sealed(first, second, [records], [key("u", "other", ns=15)])
    assert turn_name("c", 20) not in moved
    assert moved[turn_name("c", 15)] == "S"


def test_something_that_links_everything_joins_nothing():
    hub = [link(f"t{number}", "hub") for number in range(MAX_TRACES + 5)]
    assert sealed(hub) == {}


STATEMENTS = st.lists(
    st.one_of(
        st.builds(link, st.sampled_from("abcdef"), st.sampled_from("abcdef"), st.integers(0, 5)),
        st.builds(key, st.sampled_from("abcdef"), st.sampled_from(["k1", "k2", "run:R", "nearby:n"]), st.just(SAME_RUN), st.integers(0, 5)),
        st.builds(key, st.sampled_from("abcdef"), st.sampled_from(["invocation:x", "invocation:y"]), st.just(NAMES), st.integers(0, 5)),
        st.builds(key, st.sampled_from("abcdef"), st.just("chat:a"), st.just(TURNS), st.integers(0, 5)),
        st.builds(key, st.sampled_from("abcdef"), st.sampled_from(["chat:a:0", "chat:a:1"]), st.just(OPENS), st.integers(0, 5)),
        st.builds(key, st.sampled_from("abcdef"), st.sampled_from(["run:R", "run:S"]), st.just(SAME_RUN), st.integers(0, 5)),
        st.builds(key, st.sampled_from("abcdef"), st.just("agent:x"), st.sampled_from([ADOPTS, OFFERS]), st.integers(0, 5)),
    ),
    max_size=8,
    unique_by=lambda join: (join.trace_id, join.key),
)


@settings(deadline=None, max_examples=200)
@given(STATEMENTS, st.randoms(use_true_random=False))
def test_the_answer_does_not_depend_on_the_order_of_arrival(joins, random):
    together = sealed(joins)
    shuffled = list(joins)
    random.shuffle(shuffled)
    one_by_one = sealed(*([join] for join in shuffled))
    of_both = together.keys() | one_by_one.keys()
    assert {trace: together.get(trace, trace) for trace in of_both} == {trace: one_by_one.get(trace, trace) for trace in of_both}
