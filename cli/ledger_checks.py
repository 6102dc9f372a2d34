"""What `auditlake doctor` says of the ledger: what its last verification came to, and whether checkpoints leave the host."""

import os
from collections.abc import Iterator
from pathlib import Path

from cli.commands.doctor import Check


def verification(directory: Path, now_ns: int) -> Iterator[Check]:
    """What the last verification of the ledger came to, the self-check's or this user's."""
    from storage.ledger.log import origins
    from storage.ledger.verify_state import default_path, newest, self_check_path

    if not origins(directory):
        return
    state = newest([self_check_path(directory), default_path(directory, os.environ)])
    if state is None or state.verified_ns is None:
        yield Check(check="ledger", state="warning", finding="nobody has verified it yet", remedy="auditlake verify")
        return
    when = f"verified {(now_ns - state.verified_ns) / 3.6e12:,.0f} h ago, {state.mode}"
    if state.ok:
        yield Check(check="ledger", finding=f"{when}: nothing was altered, missing or extra")
    else:
        remedy = "auditlake verify says what; docs/verify.md what it means"
        yield Check(check="ledger", state="failed", finding=f"{when}: it is not what was committed", remedy=remedy)


def anchors(directory: Path) -> Iterator[Check]:
    """Where checkpoints are known outside of this host."""
    from collector.anchoring.board import standings

    for each in standings(directory):
        finding = f"{each.kind} {each.target}, {each.origin}: {each.trouble or f'{each.size} entries'}"
        state = "failed" if each.alarm else "warning" if each.trouble else "ok"
        remedies = {"failed": "it contradicts this log: run `auditlake verify`", "warning": "docs/anchors.md says what each answer means"}
        yield Check(check="anchor", state=state, finding=finding, remedy=remedies.get(state, ""))
