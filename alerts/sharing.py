"""The rules of one round share what they read: which questions they will ask of the lake, for `storage.sharing`."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Protocol

from alerts.rules import LoadedGroup, LoadedRule
from alerts.samples import Queryable
from alerts.slo.asking import newest_questions
from alerts.slo.rules import BurnSource
from storage.sharing import Question


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
    questions = [question for group, eval_ts in due for rule in group.rules for question in questions_of(rule, eval_ts)]
    with sharing.during(questions) as answering:
        yield answering


def questions_of(rule: LoadedRule, eval_ts: datetime) -> Iterator[Question]:
    """Yield what a rule will ask of the lake as of `eval_ts` (aware)."""
    if isinstance(rule.source, BurnSource):
        yield from newest_questions(rule.source.counter, eval_ts)
    elif rule.source is None:
        moment = eval_ts.replace(tzinfo=None)
        from_ns = rule.from_ns(moment)
        if from_ns is not None:
            yield Question(text=rule.rule.expr, from_ns=from_ns, to_ns=rule.to_ns(moment))
