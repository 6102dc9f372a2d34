"""The rules of one round share what they read: which questions they will ask of the lake, for `storage.sharing`."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Final, Protocol

from alerts.rules import LoadedGroup
from alerts.samples import Queryable
from storage.sharing import Question

LONGEST_SHARED: Final = timedelta(days=1)
"""A table of rows that lie further back is larger than what it saves: rules with a longer `lookback` read files, each what it needs."""


class Sharing(Protocol):
    """Makes tables for a round: `storage.sharing.SharedTables`."""

    def during(self, questions: Iterable[Question]) -> AbstractContextManager[Queryable]:
        """Give what answers these questions, and any other, on one state of the lake."""


@contextmanager
def one_round(lake: Queryable, sharing: Sharing | None, due: Iterable[tuple[LoadedGroup, datetime]]) -> Iterator[Queryable]:
    """Give what the rules of these groups are to ask, each group as of its time (aware); without `sharing` the lake itself."""
    if sharing is None:
        yield lake
        return
    questions = []
    for group, eval_ts in due:
        moment = eval_ts.replace(tzinfo=None)
        for rule in group.rules:
            from_ns = rule.from_ns(moment) if rule.source is None else None
            if from_ns is not None and rule.lookback is not None and rule.lookback <= LONGEST_SHARED:
                questions.append(Question(text=rule.rule.expr, from_ns=from_ns, to_ns=rule.to_ns(moment)))
    with sharing.during(questions) as answering:
        yield answering
