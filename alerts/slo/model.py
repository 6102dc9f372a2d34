"""The model of an SLO file: Sloth's shape (`prometheus/v1`), with SQL where PromQL would stand.

`version, service, labels, slos: [{name, objective, description, labels, sli: {events: {error_query, total_query}}, alerting: {name, labels,
annotations, page_alert, ticket_alert}}]`. Both queries return events, not sums: a row says that at `time` there were `value` events with
these labels. No query knows a window: all windows are sums of the same counts. Additions: `interval` of a file, `params` and `lookback` of
an SLO, and `min_bad_events` of its alerting.
"""

from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from alerts.sections import Duration, Parameter, Section, Text

MIN_BAD_EVENTS: Final = 10
"""Fewer bad events in the long window never alert: at 60 events an hour each single one would."""
INTERVAL: Final = timedelta(seconds=30)
LOOKBACK: Final = timedelta(hours=1)


def _objective(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 100:
        raise ValueError("an objective is a percentage above 0 and up to 100, for example 99.9")
    return value


class Events(Section):
    """What is counted: rows with `time`, `value` (how many events) and labels."""

    error_query: Text = Field(min_length=1)  # one SELECT: the bad events
    total_query: Text = Field(min_length=1)  # one SELECT: all events, the bad ones too


class Indicator(Section):
    """The service level indicator."""

    events: Events  # its bad and all events


class Severity(Section):
    """What one of the two alerts has of its own."""

    disable: bool = False  # do not raise it
    labels: dict[str, Text] = Field(default_factory=dict)  # its labels; `severity`: critical for pages, warning for tickets unless given
    annotations: dict[str, Text] = Field(default_factory=dict)  # its sentences and links


class Alerting(Section):
    """The alerts on how fast the error budget is spent."""

    name: Text | None = None  # the alerts' name; default: the SLO's name in capitals, and BurnRate
    min_bad_events: int = Field(MIN_BAD_EVENTS, ge=1)  # fewer bad events in the long window do not alert; without meaning at objective 100
    labels: dict[str, Text] = Field(default_factory=dict)  # of both alerts
    annotations: dict[str, Text] = Field(default_factory=dict)  # of both alerts
    page_alert: Severity = Severity()  # somebody has to get up
    ticket_alert: Severity = Severity()  # somebody has to look in the next days


class Objective(Section):
    """One SLO."""

    name: Text = Field(min_length=1)  # unique in the file
    objective: Annotated[float, BeforeValidator(_objective)]  # percentage of good events; 100: no bad event at all, the first one pages
    description: Text = ""  # for people
    labels: dict[str, Text] = Field(default_factory=dict)  # of its alerts
    params: dict[str, Parameter] = Field(default_factory=dict)  # values of $name in the queries
    lookback: Annotated[Duration, Field(ge=timedelta())] = LOOKBACK  # how far apart records of one event may lie
    sli: Indicator  # what is counted
    alerting: Alerting = Alerting()  # what is told


class ObjectiveFile(Section):
    """One file."""

    version: Literal["duckdb/v1", "prometheus/v1"] = "duckdb/v1"  # the shape; Sloth's own name for it is taken too
    service: Text = Field(min_length=1)  # what the objectives are about
    interval: Annotated[Duration, Field(ge=timedelta(seconds=1))] = INTERVAL  # how often its alerts are evaluated
    labels: dict[str, Text] = Field(default_factory=dict)  # of all alerts
    slos: tuple[Objective, ...] = ()
