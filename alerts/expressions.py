"""What a rule's SQL may say, as far as the text alone tells: no clock and no chance, and only parameters that exist.

A rule must give the same answer whenever it is evaluated for the same instant, or it can be neither tested nor replayed: its only
clock is `$eval_ts`. Whether the SQL is one read-only SELECT over the views is the business of `storage.sandbox`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

EVAL_TS: Final = "eval_ts"

_SKIPPED: Final = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\$\$.*?\$\$", re.DOTALL)
_CLOCKS: Final = re.compile(
    r"\b(current_timestamp|current_date|current_time|localtimestamp|localtime)\b"
    r'|\b(now|today|age|get_current_timestamp|get_current_time|transaction_timestamp|current_localtime|current_localtimestamp)"?\s*\(',
    re.IGNORECASE,
)
_CHANCE: Final = re.compile(r'\b(random|setseed|uuid|uuidv4|uuidv7|gen_random_uuid)"?\s*\(|\b(tablesample|using\s+sample)\b', re.IGNORECASE)
_PARAMETER: Final = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_POSITIONAL: Final = re.compile(r"\$\d+|\?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something an expression must not say; `line` counts from 0 within its text."""

    line: int
    message: str


def parameters(sql: str) -> frozenset[str]:
    """Return the names of the `$parameters` that the SQL uses."""
    return frozenset(_PARAMETER.findall(_code(sql)))


def findings(sql: str) -> Iterator[Finding]:
    """Yield what makes the answer depend on more than the data, `$eval_ts` and the group's `params`."""
    code = _code(sql)
    for match in _CLOCKS.finditer(code):
        name = (match.group(1) or match.group(2)).lower()
        yield Finding(line=_line(code, match), message=f"{name} is forbidden: use $eval_ts, so that the rule can be tested and replayed")
    for match in _CHANCE.finditer(code):
        name = (match.group(1) or match.group(2)).lower()
        yield Finding(line=_line(code, match), message=f"{name} is forbidden: a rule must give the same answer each time")
    for match in _POSITIONAL.finditer(code):
        yield Finding(line=_line(code, match), message=f"{match.group()} is forbidden: name the parameter, and give its value in `params`")


def parameter_line(sql: str, name: str) -> int:
    """Return the line (from 0) at which `$name` stands."""
    match = re.search(rf"\${re.escape(name)}\b", _code(sql))
    return _line(sql, match) if match else 0


def _code(sql: str) -> str:
    """Return the SQL with comments and texts blanked out; lines and positions stay."""
    return _SKIPPED.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), sql)


def _line(text: str, match: re.Match[str]) -> int:
    return text.count("\n", 0, match.start())
