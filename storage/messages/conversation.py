"""The conversation of a run: turn by turn what is new, though every call resends all that was said before.

`turns` gives one entry a call, for pages that show calls; `conversation` the messages one after another, for reading and for JSON.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from operator import attrgetter
from typing import Any, Final, NamedTuple

from storage.messages.calls import Call, calls_of, spoken
from storage.messages.contents import Spoken
from storage.messages.family import Path
from storage.messages.form import Message, as_text
from storage.messages.identity import Identities
from storage.messages.normalise import joined
from storage.messages.texts import Element, Reader, Said
from storage.messages.threads import Agent

Step = Mapping[str, Any]
_ATOMS: Final = attrgetter("atoms")
_SYSTEM: Final = attrgetter("system")


class Turn(NamedTuple):
    """One call: what it was given that was not said before, and what it answered."""

    number: int  # of the run's calls, from 1
    record_id: str
    agent_name: str | None
    given: tuple[Message, ...]
    answered: tuple[Message, ...]
    resent: int  # messages that it was given again


def turns(steps: Sequence[Step]) -> list[Turn]:
    """Return the calls of a run in the order in which they began; `steps` are those of a reconstruction. Never raises for content."""
    identities = Identities()
    calls = calls_of(steps, Reader(identities))
    heard = _Heard(identities.telling)
    told = {id(call): heard.told(call) for call in calls if not call.repeats}
    told |= {id(call): heard.left_out(call) for call in calls if call.repeats}
    found = [(call, told[id(call)]) for call in calls]
    kept = [turn for call, turn in found if turn.given or turn.answered or not (call.repeats or call.handed_over)]
    return [turn._replace(number=number) for number, turn in enumerate(kept, 1)]


def conversation(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Return the messages of a run, each once, in order: `record_id turn agent_name direction role parts` and what else is known.

    `direction` is `input` for what a model was given, `output` for what it answered; `resent`, on the first message of a turn, counts
    the messages before it that were sent again.
    """
    found: list[dict[str, Any]] = []
    for turn in turns(steps):
        told = [("input", message) for message in turn.given] + [("output", message) for message in turn.answered]
        for place, (direction, message) in enumerate(told):
            at = {"record_id": turn.record_id, "turn": turn.number, "agent_name": turn.agent_name, "direction": direction}
            again = {"resent": turn.resent} if turn.resent and place == 0 else {}
            found.append(at | again | message.as_dict())
    return found


def messages_of_step(step: Step) -> tuple[list[Message], list[Message]]:
    """Return all that one step was given and answered, also what was said before."""
    said: Spoken = spoken(step, Reader(Identities()))
    return _messages(_flat(said.given)), _messages(_flat(said.answered))


class _Heard:
    """What was said in the run so far, agent by agent."""

    def __init__(self, telling: Sequence[bool]) -> None:
        self._telling = telling
        self._agents: dict[Path, Agent] = {}
        self._seen: set[int] = set()
        self._handed_over: set[object] = set()

    def told(self, call: Call) -> Turn:
        """Return a call with what is new in its agent's conversations."""
        given, answered = _flat(call.given), _flat(call.answered)
        if call.handed_over:
            return self._listened(call, given)
        system = list(filter(_SYSTEM, given))
        flow = [said for said in given if not said.system] if system else given
        while flow and answered and flow[-1].atoms == answered[-1].atoms and flow[-1].message.role == "assistant":
            flow = flow[:-1]  # recorded after the call, with its answer
        atoms, instructions, answer = _atoms(flow), tuple(_atoms(system)), _atoms(answered)
        agent = self._agents.setdefault(call.path, Agent())
        thread, new = agent.new_given(atoms, self._telling)
        fresh = _new(flow, new, len(atoms)) if new or thread.open else _asked_again(flow)
        changed = agent.new_system(thread, instructions) if instructions else set()
        shown = [*_new(system, {place for place, atom in enumerate(instructions) if atom in changed}, len(instructions)), *fresh]
        thread.known = (atoms or thread.known) + answer
        thread.given = len(atoms)
        thread.open = not answer and (call.step.get("status") == "error" or call.step.get("source") == "event")
        self._seen.update(atoms, answer, instructions)
        return _turn(call, shown, answered, len(flow) + len(system) - len(shown))

    def left_out(self, call: Call) -> Turn:
        """Return a call that repeats others with what nobody else said."""
        unsaid = []
        for several in (_flat(call.given), _flat(call.answered)):
            atoms = _atoms(several)
            unsaid.append(_new(several, {place for place, atom in enumerate(atoms) if atom not in self._seen}, len(atoms)))
            self._seen.update(atoms)
        return _turn(call, unsaid[0], unsaid[1], 0)

    def _listened(self, call: Call, heard: Sequence[Said]) -> Turn:
        """A message of a runtime goes to all who listen: it is new once, by its id, and it is who sent it that speaks."""
        new = [said for said in heard if _own_id(said) not in self._handed_over]
        self._handed_over.update(map(_own_id, heard))
        asked = [said for said in new if said.message.role in {"user", "system"}]
        turn = _turn(call, asked, [said for said in new if said not in asked], 0)
        speaker = next((message.name for message in turn.answered if message.name), None)
        return turn._replace(agent_name=speaker or turn.agent_name)


def _own_id(said: Said) -> object:
    known = (said.message.extra or {}).get("id")
    return said.atoms if known is None else as_text(known)


def _turn(call: Call, given: Sequence[Said], answered: Sequence[Said], resent: int) -> Turn:
    answer = _messages(answered)
    finish = call.step.get("finish_reason")
    if answer and answer[-1].finish_reason is None and finish is not None:
        answer[-1] = replace(answer[-1], finish_reason=str(finish))
    return Turn(
        number=0,
        record_id=str(call.step["record_id"]),
        agent_name=call.agent_name,
        given=tuple(_messages(given)),
        answered=tuple(answer),
        resent=resent,
    )


def _new(several: Sequence[Said], places: set[int], end: int) -> list[Said]:
    """The messages that have parts in these places, with those parts alone; `places` count parts, of which there are `end`."""
    found: list[Said] = []
    first = min(places, default=end)
    for said in reversed(several):
        if end <= first:
            break
        begin = end - len(said.atoms)
        wanted = [place - begin for place in range(begin, end) if place in places]
        if len(wanted) == len(said.atoms):
            found.append(said)
        elif wanted:
            found.append(replace(said, message=replace(said.message, parts=tuple(said.message.parts[at] for at in wanted))))
        end = begin
    return found[::-1]


def _asked_again(flow: Sequence[Said]) -> list[Said]:
    """What the user said last: a call that was answered, and is made again without anything new, is another question."""
    first = len(flow)
    while first and flow[first - 1].message.role == "user":
        first -= 1
    return list(flow[first:])


def _flat(elements: Iterable[Element]) -> list[Said]:
    return list(chain.from_iterable(elements))


def _atoms(several: Iterable[Said]) -> list[int]:
    return list(chain.from_iterable(map(_ATOMS, several)))


def _messages(several: Iterable[Said]) -> list[Message]:
    return joined((said.message, said.bare) for said in several)
