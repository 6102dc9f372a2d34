"""`python -m cli` is the `auditlake` command: how the supervisor starts its processes, whatever PATH says."""

from cli.main import main

main()
