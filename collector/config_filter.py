"""`processors.filter`: which records of a pipeline are forwarded. What is stored it does not touch.

The names are those of the OpenTelemetry Collector's filter processor before its conditions became a language (`include`, `exclude`,
`match_type: strict | regexp`), with `tenants`, `audit` and `event_names` of ours.
"""

import re
from typing import Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator

from collector.config_fields import Section

Value = StrictBool | StrictInt | StrictFloat | StrictStr


class AttributeMatchConfig(Section):
    key: str = Field(min_length=1)  # name of the attribute, as redaction leaves it
    value: Value | None = None  # what it must be; left out: that it is there is enough


class SeverityNumberConfig(Section):
    min: int = Field(ge=1, le=24)  # OTLP's number: 9 info, 13 warning, 17 error
    match_undefined: bool = False  # whether records without a severity match


class MatchConfig(Section):
    match_type: Literal["strict", "regexp"] = "strict"  # how texts are compared: equal, or found by a regular expression (Python's)
    tenants: tuple[str, ...] = ()  # the sender's tenant, else what its resource says
    services: tuple[str, ...] = ()  # service.name of the resource
    resource_attributes: tuple[AttributeMatchConfig, ...] = ()  # all of these stand on the resource

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything that `match_type` decides about."""
        lists = [value for name in type(self).model_fields if isinstance(value := getattr(self, name), tuple)]
        return tuple(text for items in lists for item in items if isinstance(text := getattr(item, "value", item), str))

    @model_validator(mode="after")
    def _patterns_compile(self) -> "MatchConfig":
        if self.match_type == "regexp":
            for text in self.texts:
                try:
                    re.compile(text)
                except re.error as error:
                    raise ValueError(f"{text!r} is no regular expression: {error}") from None
        return self

    @model_validator(mode="after")
    def _says_something(self) -> "MatchConfig":
        if not self.model_fields_set - {"match_type"}:
            raise ValueError("names nothing to match: without any condition it would match everything")
        return self


class SpanMatchConfig(MatchConfig):
    span_names: tuple[str, ...] = ()  # the name is one of these
    attributes: tuple[AttributeMatchConfig, ...] = ()  # all of these stand on the span


class LogMatchConfig(MatchConfig):
    event_names: tuple[str, ...] = ()  # the event name is one of these
    severity_texts: tuple[str, ...] = ()  # the severity text is one of these
    severity_number: SeverityNumberConfig | None = None  # at least this severe
    record_attributes: tuple[AttributeMatchConfig, ...] = ()  # all of these stand on the log record
    audit: bool | None = None  # true: audit events (docs/collector.md) only; false: all others only


class MetricMatchConfig(MatchConfig):
    metric_names: tuple[str, ...] = ()  # the name is one of these
    attributes: tuple[AttributeMatchConfig, ...] = ()  # all of these stand on the data point


class SpansFilterConfig(Section):
    include: SpanMatchConfig | None = None  # forward only spans that match
    exclude: SpanMatchConfig | None = None  # of those, not the ones that match


class LogsFilterConfig(Section):
    include: LogMatchConfig | None = None  # forward only log records that match
    exclude: LogMatchConfig | None = None  # of those, not the ones that match


class MetricsFilterConfig(Section):
    include: MetricMatchConfig | None = None  # forward only data points that match
    exclude: MetricMatchConfig | None = None  # of those, not the ones that match


class FilterConfig(Section):
    spans: SpansFilterConfig | None = None  # in the traces pipeline
    logs: LogsFilterConfig | None = None  # in the logs pipeline
    metrics: MetricsFilterConfig | None = None  # in the metrics pipeline

    def of(self, signal: str) -> SpansFilterConfig | LogsFilterConfig | MetricsFilterConfig | None:
        """Return what is said about the records of a signal."""
        return {"traces": self.spans, "logs": self.logs, "metrics": self.metrics}[signal]
