"""Labels and annotations of a rule: Jinja2 in a sandbox, over `labels` and `value` alone.

As in Prometheus, a label that is not there is an empty text, and a template that fails becomes a text that says so: a mistake in
a sentence never keeps an alert from firing. The environment has no globals, a few filters, and no operator that could build a
huge text.
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any, Final

from jinja2 import StrictUndefined, TemplateError, meta
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from alerts.durations import format_duration

MAX_LENGTH: Final = 1_000
NAMES: Final = ("labels", "value")


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
        unknown = sorted(meta.find_undeclared_variables(_environment().parse(text)) - set(names))
        _environment().from_string(text)
    except TemplateError as error:
        return getattr(error, "lineno", 1) - 1, f"not a valid template: {error.message}"
    if unknown:
        return 0, f"the template uses {unknown[0]!r}: it has {' and '.join(names)}, for example {{{{ labels.agent_name }}}}"
    return None


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
    environment = _Environment(undefined=StrictUndefined, autoescape=False)
    kept = ("abs", "default", "float", "int", "lower", "round", "upper", "urlencode")
    environment.filters = {name: environment.filters[name] for name in kept}
    environment.filters |= {"duration": _duration, "percentage": _percentage, "dollars": _dollars, "number": _number}
    environment.globals.clear()
    return environment


@cache
def _template(text: str) -> Any:
    return _environment().from_string(text)


def _duration(seconds: float) -> str:
    return format_duration(timedelta(seconds=round(seconds)))


def _percentage(share: float) -> str:
    return f"{100 * share:.4g}%"


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}"


def _number(value: float) -> str:
    return f"{value:,.6g}"
