"""What every page is given: where the lake is, what time it is, and the other pages to link to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

import streamlit as st

from dashboards import units
from dashboards.window import Window, from_seconds, window


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The data directory as text (it is part of cache keys), a clock in unix ns, and the pages by their address.

    `version` is that of the lake which the page shows; None: the newest.
    """

    data: str
    clock: Callable[[], int]
    links: Mapping[str, st.Page]
    version: int | None = None

    @property
    def now(self) -> datetime:
        """Naive UTC."""
        return from_seconds(self.clock() / 1e9)

    def window(self, name: str | None) -> Window:
        return window(name, self.clock())


def local_zone() -> tzinfo | None:
    """The reader's time zone as their browser says."""
    return units.zone(st.context.timezone)


def as_of(context: Context) -> None:
    """Says how current the page is, in UTC and in the reader's own time."""
    st.caption(f"As of {units.moment(context.now, local_zone())}")
