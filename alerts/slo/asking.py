"""What counting the newest events of an SLO will ask of the lake, so that it can share tables with the rules of its round."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from alerts.slo import plan
from alerts.slo.counting import Counter
from alerts.slo.counts import moment_of
from alerts.slo.sql import minute_counts, statement
from storage.sharing import Question


def newest_questions(counter: Counter, at: datetime) -> Iterator[Question]:
    """Yield the two queries that `Counter.advance` begins with at `at` (aware)."""
    objective = counter.objective
    span = plan.newest(counter.counts.hours, at)
    begin, end = moment_of(span.first) - objective.slo.lookback, min(moment_of(span.end), at) + objective.slo.lookback
    for query in (objective.slo.sli.events.error_query, objective.slo.sli.events.total_query):
        yield Question(text=statement(minute_counts(), query), from_ns=_unix_ns(begin), to_ns=_unix_ns(end), within=query, only_copied=True)


def _unix_ns(moment: datetime) -> int:
    return (moment - moment_of(0)) // timedelta(microseconds=1) * 1000
