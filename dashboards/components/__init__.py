"""The two parts of the Run page that plain Streamlit cannot draw well: the waterfall (a keyboard-driven tree of thousands of rows) and
the story.

Both are small scripts that build their elements with `textContent` and set no HTML from data, so that no span name or prompt can become
markup. They load nothing from anywhere.
"""

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

import streamlit as st


@cache
def _source(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _mount(name: str, *, data: dict[str, Any], key: str, on_select: Callable[[], None]) -> str | None:
    component = st.components.v2.component(
        f"auditlake_{name}", css=_source("shared.css") + _source(f"{name}.css"), js=_source(f"{name}.js")
    )
    chosen = component(key=key, data=data, on_select_change=on_select).get("select")
    return None if chosen is None else str(chosen)


def waterfall(data: dict[str, Any], *, key: str, on_select: Callable[[], None]) -> str | None:
    """Draw `data` (rows, ticks, selected, height) and return the record id that was chosen in this rerun, if any."""
    return _mount("waterfall", data=data, key=key, on_select=on_select)


def story(data: dict[str, Any], *, key: str, on_select: Callable[[], None]) -> str | None:
    """Draw `data` (items, selected, height) and return the record id that was chosen in this rerun, if any."""
    return _mount("story", data=data, key=key, on_select=on_select)
