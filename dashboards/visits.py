"""Page views are audited: who looked at what, how many rows, from where; one event a view, not one a refresh (docs/access.md).

A view begins when a page is opened, and again when it shows something else: another run, other filters. What is opened within a page
(the other runs of a session) and what is downloaded are events of their own. `cli` gives what writes the events; without it (in tests
of single pages) nothing is recorded.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import streamlit as st

from redaction.errors import RedactionError
from storage.errors import StorageError

VIEW: Final = "lake.read"
EXPORT: Final = "lake.export"
_VISITOR: Final = "visitor"
_SEEN: Final = "seen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One look at the lake, or one file of it that leaves."""

    name: str  # of the event
    page: str
    resource: str  # the run as the lake names it, else the page
    rows: int
    statement: str | None  # filters, as text
    found: bool
    reader: str | None  # as the authenticating proxy says
    client: str | None  # address


Record = Callable[[Visit], None]
"""Makes an event durable. Raises `StorageError` or `RedactionError` when it cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who reads in this session, and what writes it down."""

    record: Record
    required: bool  # what cannot be recorded is not shown
    reader: str | None
    client: str | None


def begin(record: Record, *, required: bool, user_header: str | None) -> None:
    """Say, before a page is shown, who is there. `user_header` names the reader; only a proxy that overwrites it may set it."""
    headers = st.context.headers
    reader = headers.get(user_header) if user_header else None
    behind = (headers.get("X-Forwarded-For") or "").rpartition(",")[2].strip() if user_header else ""
    st.session_state[_VISITOR] = Visitor(record=record, required=required, reader=reader, client=behind or st.context.ip_address)


def saw(
    page: str,
    *,
    rows: int,
    resource: str | None = None,
    filters: Mapping[str, object] | None = None,
    found: bool = True,
    part: str = "",
) -> None:
    """Record that a page is about to show `rows` rows, unless it did already. Ends the page when that is required and fails.

    `part` is one of a page that shows others beside; a new view of the page is a new view of its parts.
    """
    visitor: Visitor | None = st.session_state.get(_VISITOR)
    statement = " ".join(f"{name}={value!r}" for name, value in (filters or {}).items() if value is not None) or None
    view = (page, resource, statement)
    seen: dict[str, object] = st.session_state.get(_SEEN, {})
    if visitor is None or seen.get(part) == view:
        return
    try:
        visitor.record(_visit(visitor, VIEW, page, resource or page, rows, statement, found=found))
    except (StorageError, RedactionError) as error:
        if visitor.required:
            st.error(f"This view cannot be recorded, so nothing is shown: {error}", icon=":material/visibility_off:")
            st.stop()
        st.warning(f"This view is not recorded: {error}", icon=":material/visibility_off:")
    else:
        st.session_state[_SEEN] = {**(seen if part else {}), part: view}


def leaving(make: Callable[[], bytes], what: str, *, rows: int) -> Callable[[], bytes]:
    """Return `make` for a download of `what`; when it is asked for, that is recorded first. It raises when that is required and fails."""
    visitor: Visitor | None = st.session_state.get(_VISITOR)
    if visitor is None:
        return make

    def made() -> bytes:
        try:
            visitor.record(_visit(visitor, EXPORT, "download", what, rows, None, found=True))
        except (StorageError, RedactionError):
            if visitor.required:
                raise
        return make()

    return made


def _visit(visitor: Visitor, name: str, page: str, resource: str, rows: int, statement: str | None, *, found: bool) -> Visit:
    return Visit(
        name=name, page=page, resource=resource, rows=rows, statement=statement, found=found, reader=visitor.reader, client=visitor.client
    )
