"""A collector as a process of its own for tests: `python -m tests.collector_main CONFIG DATA`; prints one JSON line with its ports.

Exit code 2 and one line on stderr when it cannot start, like the command line.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collector.listening import Ports

PROMPT: Final = "AUDITLAKE_TESTS_PROMPT"
"""The environment variable that keeps children at normal priority: beside other tests, which want every processor, idle ones starve."""


def log_to_stderr(_name: str) -> None:
    """Keep stdout for the line with the ports. Called in each child first."""
    import structlog

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    keep_priority()


def keep_priority() -> None:
    """Have the children, of which this process is one, not wait until nobody else wants the processor, where tests ask for that."""
    if os.environ.get(PROMPT):
        from collector import children

        children._lower_priority = _keep


def _keep(*, idle: bool) -> None:
    """Stay at the priority of who started this process."""


def announce(ports: "Ports") -> None:
    """Say that requests are taken, and where."""
    print(json.dumps(asdict(ports)), flush=True)


def main() -> None:
    """Run until SIGTERM. Imports happen here: the children import this module, too."""
    import uvloop

    from cli.configuration import cache_folder
    from collector.config import load
    from collector.errors import CollectorError
    from collector.serving import Host, serve
    from storage.errors import StorageError

    log_to_stderr("collector")
    config, data = Path(sys.argv[1]), Path(sys.argv[2])
    try:
        host = Host(prepare_child=log_to_stderr, environ=os.environ, cache_folder=cache_folder(), load=lambda: load(config, {}))
        uvloop.run(serve(load(config, {}), data=data, host=host, on_ready=announce))
    except (StorageError, CollectorError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
