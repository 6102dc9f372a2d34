"""Which records of a batch are forwarded: `processors.filter`, compiled. Conditions see what redaction left.

Of one `include` or `exclude` all conditions must hold; of a list of names, services or tenants one, of a list of attributes all.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from collector.admission import AUDIT_EVENTS
from collector.anyvalue import as_text, read_value
from collector.config_filter import (
    AttributeMatchConfig,
    FilterConfig,
    LogMatchConfig,
    MatchConfig,
    MetricMatchConfig,
    SeverityNumberConfig,
    SpanMatchConfig,
)
from collector.forwarding.splitting import retain
from collector.signals import Message, Signal

Condition = Callable[[Message, Message, Message, str | None], bool]
"""(resource, named, record, the sender's tenant) → whether it holds."""


class Filter:
    """All filters of one pipeline, for its signal: a record that any of them leaves out is not forwarded."""

    def __init__(self, signal: str, configs: Iterable[FilterConfig]) -> None:
        sections = [section for config in configs if (section := config.of(signal)) is not None]
        self._include = [_all_of(section.include) for section in sections if section.include is not None]
        self._exclude = [_all_of(section.exclude) for section in sections if section.exclude is not None]

    @property
    def says_nothing(self) -> bool:
        """Whether everything is forwarded."""
        return not (self._include or self._exclude)

    def apply(self, signal: Signal, message: Message, tenant: str | None) -> int:
        """Take out of `message` what is not forwarded, and return how many records stay."""

        def keep(resource: Message, named: Message, record: Message) -> bool:
            about = (resource, named, record, tenant)
            return all(holds(*about) for holds in self._include) and not any(holds(*about) for holds in self._exclude)

        return retain(signal, message, keep)


def _all_of(config: MatchConfig) -> Condition:
    conditions = list(_conditions(config))
    return lambda resource, named, record, tenant: all(holds(resource, named, record, tenant) for holds in conditions)


def _conditions(config: MatchConfig) -> Iterable[Condition]:
    fits = _comparison(config.match_type == "regexp")
    if config.tenants:
        from collector.dialects.names import RESOURCE  # takes a while, which who filters by something else need not wait for

        keys = RESOURCE["tenant"][1]
        yield lambda resource, _named, _record, tenant: fits(config.tenants, tenant or _first(resource.attributes, keys))
    if config.services:
        yield lambda resource, _named, _record, _: fits(config.services, _first(resource.attributes, ("service.name",)))
    if config.resource_attributes:
        wanted = config.resource_attributes
        yield lambda resource, _named, _record, _: _attributes(wanted, resource.attributes, fits)
    names = _names(config)
    if names:
        yield lambda _resource, named, _record, _: fits(names, named.name)
    of_record = config.record_attributes if isinstance(config, LogMatchConfig) else _of_record(config)
    if of_record:
        yield lambda _resource, _named, record, _: _attributes(of_record, record.attributes, fits)
    if isinstance(config, LogMatchConfig):
        yield from _log_conditions(config, fits)


def _log_conditions(config: LogMatchConfig, fits: "Fits") -> Iterable[Condition]:
    if config.event_names:
        yield lambda _resource, _named, record, _: fits(config.event_names, record.event_name)
    if config.severity_texts:
        yield lambda _resource, _named, record, _: fits(config.severity_texts, record.severity_text)
    if config.severity_number is not None:
        least = config.severity_number
        yield lambda _resource, _named, record, _: _severe(least, record.severity_number)
    if config.audit is not None:
        yield lambda _resource, _named, record, _: (record.event_name in AUDIT_EVENTS) == config.audit


Fits = Callable[[Sequence[Any], Any], bool]
"""(wanted, found) → whether what was found is one of those."""


def _comparison(regexp: bool) -> Fits:
    if not regexp:
        return lambda wanted, found: any(type(found) is type(one) and found == one for one in wanted)
    compiled: dict[str, re.Pattern[str]] = {}

    def matches(wanted: Sequence[Any], found: Any) -> bool:
        text = "" if found is None else as_text(found)
        for one in wanted:
            pattern = compiled.get(str(one)) or compiled.setdefault(str(one), re.compile(str(one)))
            if pattern.search(text):
                return True
        return False

    return matches


def _names(config: MatchConfig) -> tuple[str, ...]:
    if isinstance(config, SpanMatchConfig):
        return config.span_names
    return config.metric_names if isinstance(config, MetricMatchConfig) else ()


def _of_record(config: MatchConfig) -> tuple[AttributeMatchConfig, ...]:
    return config.attributes if isinstance(config, SpanMatchConfig | MetricMatchConfig) else ()


def _attributes(wanted: Iterable[AttributeMatchConfig], pairs: Iterable[Message], fits: Fits) -> bool:
    """Whether all wanted attributes are there; of a key that was sent twice the last value counts, as it is stored."""
    found = {pair.key: pair.value for pair in pairs}
    return all(one.key in found and (one.value is None or fits((one.value,), read_value(found[one.key]))) for one in wanted)


def _first(pairs: Iterable[Message], keys: Sequence[str]) -> str | None:
    found = {pair.key: pair.value for pair in pairs if pair.key in keys}
    return next((as_text(read_value(found[key])) for key in keys if key in found), None)


def _severe(least: SeverityNumberConfig, number: int) -> bool:
    return number >= least.min if number else least.match_undefined
