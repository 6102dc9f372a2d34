"""What is known of the integrity of a run's records: what the last verification said of their entries, and nothing more.

Reading a run verifies nothing. Who verified, and when, stands in the state of a verifier (`storage.ledger.verify_state`): that of the
collector's self-check, beside the data, or one that the reader names.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from storage.ledger.verdicts import BROKEN
from storage.ledger.verify_state import Spoken, State, newest, self_check_path

_UNKNOWN: Final = "nobody has verified these records against the ledger: `auditlake verify` does"


def integrity(steps: Iterable[Mapping[str, Any]], data: Path, states: Sequence[Path] = ()) -> dict[str, Any]:
    """Return where the records of a run stand, and what the newest verification said of these entries.

    `state`: verified, failed, partly or unverified; `verified` is true, false, or None where nobody can say of all of them.
    """
    entries: dict[str, set[int]] = {}
    for step in steps:
        entries.setdefault(str(step["origin"]), set()).add(int(step["entry"]))
    origins = [{"origin": origin, "entries": sorted(numbers)} for origin, numbers in sorted(entries.items())]
    return {**_said(entries, newest((*states, self_check_path(data)))), "origins": origins}


def _said(entries: Mapping[str, set[int]], state: State | None) -> dict[str, Any]:
    """The state of all these entries together."""
    if state is None or not entries:
        return {"verified": None, "state": "unverified", "verified_at": None, "anchored": None, "statement": _UNKNOWN}
    when = datetime.fromtimestamp((state.verified_ns or 0) / 1e9, UTC).replace(tzinfo=None)
    at = f"{when:%Y-%m-%d %H:%M} UTC"
    spoken = [(number, state.spoken.get(origin)) for origin, numbers in entries.items() for number in numbers]
    known = [(number, said) for number, said in spoken if said is not None and said.first <= number <= said.last]
    problems = [found for number, said in known if (found := list(_problems(number, said)))]
    broken = [each for found in problems for each in found if each[0] in BROKEN]
    told: dict[str, Any] = {"verified_at": when, "anchored": None}
    if broken:
        verdict, detail = broken[0]
        return {**told, "verified": False, "state": "failed", "statement": f"verification at {at} found {verdict}: {detail}"}
    if len(known) < len(spoken) or problems:
        counted = f"{len(known) - len(problems)} of {len(spoken)} entries were VALID when the ledger was verified at {at}"
        rest = "the others were sealed since, or are not in the ledger"
        return {**told, "verified": None, "state": "partly", "statement": f"{counted}; {rest}"}
    anchored = all(said.anchored is not None and number <= said.anchored for number, said in known)
    rests = (
        "a checkpoint outside of this host covers them"
        if anchored
        else "UNANCHORED: whoever owns this host and its key could have written them anew"
    )
    statement = f"their entries were VALID when the ledger was verified at {at}; {rests}"
    return {**told, "anchored": anchored, "verified": True, "state": "verified", "statement": statement}


def _problems(number: int, said: Spoken) -> Iterator[tuple[str, str]]:
    """What is not VALID about an entry; of what was removed by order the rest is."""
    return (
        (verdict, detail) for first, last, verdict, detail in said.bad if first <= number <= last and verdict not in {"ERASED", "EXPIRED"}
    )
