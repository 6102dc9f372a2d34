"""`python -m benchmarks.soak NAME [OPTION …]`: long runs that look for one wrong answer among very many; then the exit status is 1."""

import importlib
import sys
from typing import Final

SOAKS: Final = ("redaction", "ingest", "kills", "decoder", "rounds")
"""Each is a module of this package with a function `main(arguments)` that returns whether all is well."""


def main() -> None:
    """Run the soak that was named, or say which there are."""
    if len(sys.argv) < 2 or sys.argv[1] not in SOAKS:
        sys.exit(f"usage: python -m benchmarks.soak {{{','.join(SOAKS)}}} [--help]")
    sys.exit(0 if importlib.import_module(f"benchmarks.soak.{sys.argv[1]}").main(sys.argv[2:]) else 1)


if __name__ == "__main__":
    main()
