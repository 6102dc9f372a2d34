"""Which files are tested first, and by whom, so that all processors have work until the end.

Tests of whole processes wait most of the time: for seals, alerts, browsers. They come first, and two testers of three begin with them.
The third begins with the tests that compute, at low priority: it has what the others leave, and what they wait for does not wait for it.
"""

from pathlib import Path
from typing import Any, Final

from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

TESTS: Final = Path(__file__).parent
WAITING: Final = ("end_to_end", "faults", "browser", "conformance")
COMPUTING: Final = ("storage", "alerts", "cli", "docs", "dashboards", "packaging", "redaction")
"""Folders of files that take long before those of files that do not, so that no tester is left alone with one."""
ONE_SERVER: Final = "tests/conformance"
"""A folder whose files share a server: it is one piece of work."""
NICE: Final = 5


def place(path: Path) -> int:
    """Where in the order the folder of a file comes."""
    order, folder = (*WAITING, *COMPUTING), path.relative_to(TESTS).parts[0]
    return order.index(folder) if folder in order else len(order)


def computes(tester: str) -> bool:
    """Whether the tester (gw0, gw1, …) begins with tests that compute."""
    return int(tester.removeprefix("gw")) % 3 == 2


class ByKind(LoadFileScheduling):  # type: ignore[misc]
    """xdist's dealing out of files, in our order; who computes is given the first file that waits for nobody, while there is one."""

    def _split_scope(self, nodeid: str) -> str:
        return ONE_SERVER if nodeid.startswith(f"{ONE_SERVER}/") else str(super()._split_scope(nodeid))

    def _assign_work_unit(self, node: Any) -> None:
        waiting = tuple(f"tests/{folder}" for folder in WAITING)
        if computes(node.gateway.id):
            first = next((scope for scope in self.workqueue if not scope.startswith(waiting)), None)
            if first is not None:
                self.workqueue.move_to_end(first, last=False)
        super()._assign_work_unit(node)
