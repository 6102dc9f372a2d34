"""What a run's page says about the record itself: is it complete, what was redacted, is it proven; and the whole of it as a file."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import streamlit as st

from dashboards import units, verdict, visits
from dashboards.panels import escape

ENTITIES_SHOWN = 4
INTEGRITY = {
    "verified": (":green[:material/verified:]", "Integrity: verified"),
    "failed": (":red[:material/gpp_bad:]", "Integrity: verification failed"),
    "partly": (":orange[:material/encrypted_off:]", "Integrity: not all verified yet"),
    "unverified": (":orange[:material/encrypted_off:]", "Integrity: not verified yet"),
}
"""By what the last verification of the ledger came to: its icon and title."""


def strip(found: dict[str, Any]) -> None:
    """Completeness, redaction and integrity, side by side."""
    columns = st.columns(3)
    said, lacking = verdict.completeness(found)
    running = found["run"]["status"] == "running"
    sign, word = (":orange[:material/rule:]", "Incomplete") if lacking else (":green[:material/done_all:]", "Complete")
    _fact(columns[0], sign, "Incomplete so far" if running else word, said)
    _fact(columns[1], ":material/visibility_off:", "Redaction", _redacted(found))
    held = [f"{escape(origin)} entry {numbers}" for origin, numbers in verdict.entries(found["integrity"])]
    where = f"Its records are in {'; '.join(held)}." if held else "No entry is known."
    sign, title = INTEGRITY[found["integrity"]["state"]]
    statement = str(found["integrity"]["statement"]).replace("`", "")
    _fact(columns[2], sign, title, f"{where} {escape(statement[:1].upper() + statement[1:])}.")
    if said_too := verdict.remarks(found):
        with st.container(border=True):
            st.markdown("  \n".join(f":small[:material/info: {escape(each)}]" for each in said_too))


def _fact(where: Any, icon: str, title: str, said: str) -> None:
    with where.container(border=True, height="stretch"):
        st.markdown(f"{icon} **{title}**  \n:small[{said}]")


def _redacted(found: dict[str, Any]) -> str:
    counts = verdict.redactions(found["steps"])
    withheld = counts.pop("WITHHELD", 0)
    if not counts and not withheld:
        return "Nothing was found to redact in this run."
    named = [f"{units.count(number)} {escape(entity)}" for entity, number in list(counts.items())[:ENTITIES_SHOWN]]
    rest = len(counts) - ENTITIES_SHOWN
    said = ", ".join(named) + (f" and {units.plural(rest, 'more entity', 'more entities')}" if rest > 0 else "")
    return f"{said or 'Nothing'} taken out before storing; {units.count(withheld)} withheld."


def download(found: dict[str, Any], key: str) -> None:
    """The reconstruction with its content as JSON, made when it is asked for."""
    st.download_button(
        "Download JSON",
        data=visits.leaving(_json(found), str(found["run"]["run_id"]), rows=len(found["steps"])),
        file_name=f"run-{_safe(found['run']['run_id'])}.json",
        mime="application/json",
        icon=":material/download:",
        key=f"json-{key}",
        on_click="ignore",
    )


def _json(found: dict[str, Any]) -> Callable[[], bytes]:
    return lambda: json.dumps(found, default=plain, ensure_ascii=False, indent=1).encode()


def plain(value: object) -> str:
    """Times as RFC 3339 in UTC, bytes as hex; everything else that JSON does not know as its text."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds") + "Z"
    return value.hex() if isinstance(value, bytes) else str(value)


def _safe(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)[:80]
