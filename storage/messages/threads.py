"""What is new in a call: the history of an agent's conversations, and where the next call goes on with one of them.

A message is new unless this can show that it was resent. A call goes on with a conversation when it begins with what was said in it, or
when it holds the last thing that was said in it (older turns may have been cut away or put together in a summary: then what stands
before that last thing is compared from the back). What follows is new, also when somebody says the same words again. A call that
goes on with none of the last few conversations begins one of its own.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

KEPT: Final = 8
"""So many conversations of one agent may alternate."""
SHARED: Final = 4
"""So many parts at the beginning are not the same by chance."""


@dataclass(slots=True)
class Thread:
    """One conversation: the identities of all that the last call was given and what it answered."""

    known: list[int] = field(default_factory=list)
    given: int = 0
    system: tuple[int, ...] = ()
    open: bool = False  # nobody answered yet: what follows may be the same call again, or the rest of it


@dataclass(slots=True)
class Agent:
    """The conversations of one agent, the last first."""

    threads: list[Thread] = field(default_factory=list)
    systems: set[int] = field(default_factory=set)

    def new_system(self, thread: Thread, system: tuple[int, ...]) -> set[int]:
        """Return which system instructions are new: to a conversation that goes on, or to the agent; the call's are then known."""
        if system == thread.system:
            return set()
        before = set(thread.system) if thread.system else self.systems
        new = set(system) - before
        thread.system = system
        self.systems.update(system)
        return new

    def new_given(self, given: list[int], telling: Sequence[bool]) -> tuple[Thread, set[int]]:
        """Return the conversation that a call goes on with, and which places of what it was given are new."""
        best: tuple[int, Thread, set[int]] | None = None
        for thread in self.threads:
            found = _go_on(thread, given, telling)
            if found is not None and (best is None or found[0] > best[0]):
                best = (found[0], thread, found[1])
                if found[0] == len(thread.known):
                    break
        if best is not None:
            thread, new = best[1], best[2]
            self.threads.remove(thread)
        else:
            thread, new = Thread(), set(range(len(given)))
        self.threads.insert(0, thread)
        del self.threads[KEPT:]
        return thread, new


def _go_on(thread: Thread, given: list[int], telling: Sequence[bool]) -> tuple[int, set[int]] | None:
    """Return how much of a conversation a call goes on with, and which places are new; None when it is another conversation."""
    known = thread.known
    if not given:
        return 1, set()
    same = _same(known, given)
    if same and same in {len(known), len(given)}:
        return same, set(range(same, len(given)))
    last = _last(given, known, same, telling)
    if last is not None:
        return last, _from_the_back(known, given, same, last)
    if same and same >= thread.given:  # the answer was resent in part
        return same, _in_order(known[same:], given, same)
    return (same, set(range(same, len(given)))) if same >= SHARED else None


def _same(known: list[int], given: list[int]) -> int:
    """How many places from the beginning are the same."""
    size = min(len(known), len(given))
    if known[:size] == given[:size]:
        return size
    return bisect_left(range(1, size + 1), True, key=lambda count: known[:count] != given[:count])


def _last(given: list[int], known: list[int], same: int, telling: Sequence[bool]) -> int | None:
    """Where the last thing known stands in what was given, if that cannot be by chance."""
    last = known[-1] if len(known) > same else None
    if last is None or last not in given:
        return None
    for place in range(len(given) - 1, same - 1, -1):
        if given[place] == last and (telling[last] or (place and len(known) > 1 and given[place - 1] == known[-2])):
            return place
    return None


def _from_the_back(known: list[int], given: list[int], same: int, last: int) -> set[int]:
    """The new places, when place `last` is the last thing known: all after it, and those before it that do not stand in `known`."""
    new = set(range(last + 1, len(given)))
    most = min(last - same, len(known) - same - 1) + 1
    tail = bisect_left(range(1, most + 1), True, key=lambda count: given[last - count + 1 : last + 1] != known[len(known) - count :])
    before = len(known) - tail
    wanted = set(given[same : last - tail + 1])
    places: dict[int, list[int]] = {}
    for place in range(same, before):
        if known[place] in wanted:
            places.setdefault(known[place], []).append(place)
    for place in range(last - tail, same - 1, -1):
        where = places.get(given[place], [])
        at = bisect_left(where, before) - 1
        if at < 0:
            new.add(place)
        else:
            before = where[at]
    return new


def _in_order(answer: Sequence[int], given: list[int], start: int) -> set[int]:
    """The new places from `start` on, when what stands there may first repeat parts of an answer in their order."""
    at = 0
    for place in range(start, len(given)):
        if given[place] not in answer[at:]:
            return set(range(place, len(given)))
        at = answer.index(given[place], at) + 1
    return set()
