"""Which agents a step belongs to: by the steps around it, and by what it says of itself."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from storage.messages.sources import AGENT_NAMES

Step = Mapping[str, Any]
Path = tuple[str, ...]


class Family:
    """The steps of a run by their records, and the agents around each."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = {str(step["record_id"]): step for step in steps}
        self._paths: dict[str, Path] = {}

    def above(self, step: Step) -> Iterator[Step]:
        """Yield the steps around a step, the innermost first; none twice."""
        seen = {str(step["record_id"])}
        parent = step.get("parent_record_id")
        while parent is not None and str(parent) in self._steps and str(parent) not in seen:
            seen.add(str(parent))
            found = self._steps[str(parent)]
            yield found
            parent = found.get("parent_record_id")

    def path(self, step: Step) -> Path:
        """Return the names of the agents that a step is of, the outermost first."""
        around = self._agents(step)
        own = named(step) or (None if around else step.get("agent_name"))
        return around if own is None or around[-1:] == (own,) else (*around, str(own))

    def agent_name(self, step: Step) -> str | None:
        """Return the agent's name: the step's own word, else that of the agent around it, else what its resource says."""
        around = self._agents(step)
        name = named(step) or (around[-1] if around else None) or step.get("agent_name")
        return None if name is None else str(name)

    def _agents(self, step: Step) -> Path:
        """The agents around a step, itself included; the names of those that were found on the way stay known."""
        if (known := self._paths.get(str(step["record_id"]))) is not None:
            return known
        waiting: list[Step] = []
        path: Path = ()
        for found in chain((step,), self.above(step)):
            if str(found["record_id"]) in self._paths:
                path = self._paths[str(found["record_id"])]
                break
            waiting.append(found)
        for found in reversed(waiting):
            if found["kind"] == "agent":
                path = (*path, str(named(found) or found.get("agent_name") or found.get("name")))
            self._paths[str(found["record_id"])] = path
        return path


def named(step: Step) -> str | None:
    """Return the agent's name as the step itself says it."""
    attributes = step.get("attributes") or {}
    for key in AGENT_NAMES:
        if name := attributes.get(key):
            return str(name)
    return None
