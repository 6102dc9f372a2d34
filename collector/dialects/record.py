"""What a dialect sees of a record, and what it gives back."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

Value = Any
"""An attribute's value: str, bool, int, float, bytes, None, a list or a dict of these."""
Attributes = Mapping[str, Value]
Fields = dict[str, Any]
"""Canonical columns of storage.schema that are known, and `UNSTORED`, which are no columns."""

SENT_COST: Final = "sent_cost_usd"
"""What the agent says that the call cost, in USD."""
ANSWERED_FROM_CACHE: Final = "answered_from_cache"
"""True when a cache of whole responses answered in the model's place: nothing was computed and nothing is billed."""
SERVICE_TIER: Final = "service_tier"
"""What the provider billed the call as, where it says so: batch, flex, priority."""
JOINS: Final = "joins"
"""A tuple of `Join`: what this record shares with other traces of its run."""
NO_RUN: Final = "no_run"
"""True on a record that makes no run: it is of one only when its trace joins one."""
UNSTORED: Final = frozenset({ANSWERED_FROM_CACHE, SERVICE_TIER, JOINS, NO_RUN})
"""What a dialect says of a record beside columns: for its price and its run."""

SAME_RUN: Final = "same"
NAMES: Final = "names"
OFFERS: Final = "offers"
ADOPTS: Final = "adopts"
TURNS: Final = "turns"
WAITS: Final = "+"
"""Ends the key of what a trace adopts, as it may offer the same: who resumes a thread may have to wait again."""
OPENS: Final = "opens"
NEARBY: Final = "nearby:"
"""A key that begins so holds for the minute of the record, and so does one whose role is `OPENS`."""


class Join(NamedTuple):
    """A key that a record shares with records of other traces.

    Traces that state the same key with role `SAME_RUN` are one run. So are those with role `NAMES`, whose key is a name of the run behind
    a colon: the first that was stated names the run, unless a record names it in `run_id`; so agents that run inside others, each under
    a name of its own, stay one run. A trace that `ADOPTS` a key belongs to the run of the first trace that `OFFERS` it afterwards, and
    to no other: an agent is created once and may be used in many runs. Traces that state a key with role `TURNS` are one run as well,
    unless several of them name runs of their own: those are the turns of one conversation then, and what names none of them is of the
    turn that had begun last; log records without a trace go by their own time. With role `OPENS` a record says that the next turn begins
    with it.
    """

    key: str
    role: str = SAME_RUN


class SpanView(NamedTuple):
    """A span as it was sent and redacted."""

    scope: str
    name: str
    attributes: Attributes
    resource: Attributes
    is_root: bool
    failed: bool  # its status is an error
    events: Sequence[tuple[str, Attributes]] = ()
    kind: int = 0  # OTLP's SpanKind: 2 server, 3 client
    status_message: str = ""


class LogView(NamedTuple):
    """A log record as it was sent and redacted."""

    scope: str
    event_name: str
    body: Value
    attributes: Attributes
    resource: Attributes
    in_span: bool


class Dialect(NamedTuple):
    """One attribute convention: its readers return None for a record of another convention."""

    name: str
    version: int
    read_span: Callable[[SpanView], Fields | None]
    read_log: Callable[[LogView], Fields | None]
    recognised_by: str = ""  # one line for docs/dialects.md: what in a record makes it this dialect's
    reads: str = ""  # one line: which frameworks and instrumentations send it
    scopes: tuple[str, ...] = ()  # a span can be this dialect's by its scope, if that begins with one of these
    marks: frozenset[str] | None = None  # and by its attributes, if it has one of these; None: only `read_span` can tell


def no_logs(_record: LogView) -> None:
    """The log reader of a dialect that has only spans."""
    return
