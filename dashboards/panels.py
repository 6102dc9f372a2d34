"""What every panel has: a title, its SQL and its rows to take away, an honest empty state, and a word about what was left out."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import streamlit as st

from dashboards import visits
from dashboards.design import Theme
from dashboards.reads import Answer
from storage.errors import StorageError


@contextmanager
def panel(title: str, *answers: Answer, key: str, note: str | None = None) -> Iterator[None]:
    """A bordered panel; its corner shows the SQL of `answers` and offers their rows as CSV."""
    with st.container(border=True, key=f"panel-{key}", height="stretch"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"**{title}**", help=note, width="content")
            if answers:
                show_sql(*answers, key=key)
        yield


def show_sql(*answers: Answer, key: str) -> None:
    """The popover behind every panel: what was asked, with which values, and what came back."""
    with st.popover(
        "SQL", icon=":material/code:", type="tertiary", help="Show the SQL of this panel and download its rows", key=f"sql-{key}"
    ):
        for number, answer in enumerate(answers):
            st.code(answer.sql, language="sql", wrap_lines=True, height=min(60 + 21 * answer.sql.count("\n"), 380))
            st.caption("Parameters")
            st.code(json.dumps(answer.params, default=str, indent=1, ensure_ascii=False), language="json", wrap_lines=True)
            download_rows(answer.rows, key=f"{key}-{number}")


def download_rows(rows: Sequence[Mapping[str, Any]], *, key: str) -> None:
    """A button that hands the rows out as CSV; the file is made when it is asked for."""
    made = visits.leaving(_later(rows), key, rows=len(rows))
    st.download_button(
        f"Download {len(rows):,} rows as CSV", data=made, file_name=f"{key}.csv", mime="text/csv", key=f"csv-{key}",
        icon=":material/download:", on_click="ignore", disabled=not rows,
    )  # fmt: skip


def _later(rows: Sequence[Mapping[str, Any]]) -> Callable[[], bytes]:
    return lambda: csv_bytes(rows)


def csv_bytes(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """RFC 4180; a cell that a spreadsheet would take for a formula gets a leading apostrophe."""
    if not rows:
        return b""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(rows[0])
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return buffer.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat() + "Z"
    said = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return f"'{said}" if isinstance(value, str) and said[:1] in {"=", "+", "-", "@", "\t", "\r"} else said


def empty(what: str, send: str) -> None:
    """The honest empty state: what is not there, and what to send so that it is."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(":material/inbox:", width="content")
        st.markdown(f"{what}  \n:gray[{send}]")


@contextmanager
def remedied() -> Iterator[None]:
    """A lake that is not there or cannot be read is an answer with a remedy, not a stack of frames.

    Stands around a page, and again around what of it is drawn anew by itself: Streamlit keeps the errors of that from the page.
    """
    try:
        yield
    except StorageError as error:
        st.error(f"Could not {error.attempted}.", icon=":material/database_off:")
        st.code(error.subject, language=None)
        st.info(f"What to do: {error.hint}.", icon=":material/lightbulb:")
        st.button("Try again", icon=":material/refresh:")


def escape(text: object) -> str:
    """Text from the lake as literal Markdown: no markup, link, image, icon, colour or formula survives."""
    flat = _LINK.sub("\\g<0>\u2060", _SHORTCODE.sub(":\u2060", str(text).replace("\n", " ").replace("\r", " ")))
    return "".join(f"\\{letter}" if letter in _ACTIVE else letter for letter in flat)


_ACTIVE: Final = frozenset("\\`*_{}[]()<>#+-.!|~$:&^=\"'/@")
_LINK: Final = re.compile(r"(?i)https?(?=:)|www(?=\.)|[\w.+-](?=@)")  # and links of bare addresses
_SHORTCODE: Final = re.compile(r":(?=[\w/+-]+:)")  # Streamlit makes icons of :these: even when they are escaped


def theme() -> Theme:
    """The theme the reader has on; light until the browser said so."""
    return "dark" if st.context.theme.type == "dark" else "light"
