"""Processes that a test lets die: forked from one that has imported everything, so that each costs a fork.

All tests share that one process, because the first of them in a run starts it.
"""

import multiprocessing
from typing import Any, Final

_SERVER: Final = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["tests.faults.flow", "tests.alerts.dying", "pandas"])  # the last is what pyarrow imports when it is there


def exit_code(target: Any, *arguments: Any) -> int:
    """Run a function of a module in a process of its own; returns how it ended."""
    process = _SERVER.Process(target=target, args=arguments, daemon=True)
    process.start()
    process.join(60)
    code = process.exitcode
    process.close()
    assert code is not None, "the process hangs"
    return code
