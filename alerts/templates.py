"""Labels and annotations of a rule: Jinja2 in a sandbox, over `labels` and `value` alone, which may be written `$labels` and `$value`.

As in Prometheus, a label that is not there is an empty text, and a template that fails becomes a text that says so: a mistake in
a sentence never keeps an alert from firing. The environment has no globals, a few filters, and no operator that could build a
huge text.
"""

import math
import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Final

from jinja2 import StrictUndefined, TemplateError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from alerts.durations import format_duration

MAX_LENGTH: Final = 1_000
NAMES: Final = ("labels", "value")
NO_VALUE: Final = "no data"
"""What a value that is not there reads as."""


_PLACEHOLDER: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_VARIABLE: Final = re.compile(r"\$(labels|value)\b")
_SMALL: Final = ("m", "u", "n", "p", "f", "a", "z", "y")
_SMALLEST_EXPONENT, _LARGEST_EXPONENT = -4, 6
_LARGE: Final = ("k", "M", "G", "T", "P", "E", "Z", "Y")


class _Labels(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return ""


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"*", "**", "%"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        return obj[attribute] if isinstance(obj, _Labels) else super().getattr(obj, attribute)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" or isinstance(left, str | list | tuple) or isinstance(right, str | list | tuple):
            raise SecurityError(f"the operator {operator} is for plain numbers")
        return super().call_binop(context, operator, left, right)


def template_problem(text: str, *, names: tuple[str, ...] = NAMES) -> tuple[int, str] | None:
    """Return (line from 0, what is wrong) of a template that cannot be used, else None."""
    try:
        unknown = sorted(meta.find_undeclared_variables(_environment().parse(_plain(text))) - set(names))
        _environment().from_string(_plain(text))
    except TemplateError as error:
        return getattr(error, "lineno", 1) - 1, f"not a valid template: {error.message}"
    if unknown:
        return 0, f"the template uses {unknown[0]!r}: it has {' and '.join(names)}, for example {{{{ labels.agent_name }}}}"
    return None


def labels_read(text: str) -> frozenset[str]:
    """Return the names of the labels that a template reads as `labels.name`."""
    try:
        found = _environment().parse(_plain(text)).find_all(nodes.Getattr)
        return frozenset(read.attr for read in found if isinstance(read.node, nodes.Name) and read.node.name == "labels")
    except TemplateError:
        return frozenset()


def render(text: str, labels: Mapping[str, str], value: float | None) -> str:
    """Return the text for one alert, at most `MAX_LENGTH` characters; never raises for what a template does."""
    if "{" not in text:
        return text[:MAX_LENGTH]
    try:
        return str(_template(text).render(labels=_Labels(labels), value=value))[:MAX_LENGTH]
    except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError) as error:
        return f"<error expanding template: {type(error).__name__}>"


@cache
def _environment() -> _Environment:
    environment = _Environment(undefined=StrictUndefined, autoescape=False, finalize=_said)
    kept = ("abs", "default", "float", "int", "lower", "round", "upper", "urlencode")
    environment.filters = {name: environment.filters[name] for name in kept}
    environment.filters |= {"duration": _duration, "percentage": _percentage, "dollars": _dollars, "number": _number}
    environment.filters |= {"humanize": _humanize, "humanizeDuration": _humanize_duration, "humanizePercentage": _percentage}
    environment.globals.clear()
    return environment


@cache
def _template(text: str) -> Any:
    return _environment().from_string(_plain(text))


def _plain(text: str) -> str:
    """Return a template without the `$` that Prometheus writes before `labels` and `value`."""
    return _PLACEHOLDER.sub(lambda found: _VARIABLE.sub(r"\1", found.group()), text)


def _said(part: object) -> object:
    if isinstance(part, float):
        return printed(part)
    return NO_VALUE if part is None else part


def printed(number: float) -> str:
    """Return a number as Go prints it, and so Prometheus: the fewest digits that tell it, with an exponent from a million on."""
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else "+Inf" if number > 0 else "-Inf"
    exact = Decimal(repr(abs(number))).normalize()
    sign = "-" if math.copysign(1, number) < 0 else ""
    exponent = exact.adjusted()
    if number == 0 or _SMALLEST_EXPONENT <= exponent < _LARGEST_EXPONENT:
        return f"{sign}{exact:f}"
    digits = "".join(map(str, exact.as_tuple().digits))
    return f"{sign}{digits[0]}{'.' * (len(digits) > 1)}{digits[1:]}e{exponent:+03d}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return NO_VALUE
    return format_duration(timedelta(seconds=round(seconds)))


def _percentage(share: float | None) -> str:
    if share is None:
        return NO_VALUE
    return f"{_four_digits(100 * share)}%"


def _dollars(amount: float | None) -> str:
    if amount is None:
        return NO_VALUE
    return f"${amount:,.2f}"


def _four_digits(number: float) -> str:
    return f"{number:.4g}" if math.isfinite(number) else printed(number)


def _number(value: float | None) -> str:
    if value is None:
        return NO_VALUE
    return f"{value:,.6g}"


def _humanize(value: float | None) -> str:
    """As Prometheus' `humanize`: four digits, and a metric prefix."""
    if value is None:
        return NO_VALUE
    if value == 0 or not math.isfinite(value):
        return _four_digits(value)
    prefix = ""
    if abs(value) >= 1:
        for prefix_of_thousand in _LARGE:
            if abs(value) < 1000:
                break
            prefix, value = prefix_of_thousand, value / 1000
    else:
        for prefix_of_thousandth in _SMALL:
            if abs(value) >= 1:
                break
            prefix, value = prefix_of_thousandth, value * 1000
    return f"{value:.4g}{prefix}"


def _humanize_duration(seconds: float | None) -> str:
    """As Prometheus' `humanizeDuration`: whole seconds as `1d 2h 3m 4s`, fractions of a second with a metric prefix."""
    if seconds is None:
        return NO_VALUE
    if not math.isfinite(seconds):
        return printed(seconds)
    if abs(seconds) < 1:
        return f"{_humanize(seconds)}s"
    sign, left = ("-" if seconds < 0 else ""), abs(seconds)
    if left < 60:
        return f"{sign}{left:.4g}s"
    minutes, rest = divmod(int(left), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {rest}s"
    return f"{sign}{hours}h {minutes}m {rest}s" if hours else f"{sign}{minutes}m {rest}s"
