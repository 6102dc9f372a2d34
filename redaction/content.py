"""Content capture: how much of what people and models wrote is stored, by tenant and environment; after redaction, never instead of it.

Truncated JSON stays JSON: its strings are cut, each with a mark that says how much is gone. No cut falls into a placeholder, so what
was found stays recognisable. A digest is keyed with the lake's key: equal contents can be told to be equal, guesses cannot be tried.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from typing import Final, Literal

from redaction import structure
from redaction.findings import Cleaned
from redaction.keys import KEY_LENGTH_LIMIT, REMEMBERED_KEYS
from redaction.policy import ContentConfig
from redaction.pseudonym import derived_key
from redaction.structure import Kind

RULE: Final = "policy/content"
TRUNCATED: Final = "TRUNCATED"
CONTENT: Final = "CONTENT"

Mode = Literal["truncated", "hash", "none"]

_PLACEHOLDER: Final = re.compile(r"<[A-Z][A-Z0-9_]*(?::[\w.:\-]{1,200})?>")
_PLACEHOLDER_CHARS: Final = 280


class Capture:
    """What is stored of the content of records of one tenant in one environment."""

    def __init__(self, mode: Mode, *, is_content: Callable[[str], bool], is_event: Callable[[str], bool], key: bytes, chars: int) -> None:
        self._mode: Mode = mode
        self._is_content = is_content
        self._is_event = is_event
        self._key = key
        self._chars = chars

    def mode(self, key: str) -> Mode | None:
        """Return how the values of an attribute key are stored; None for as they are."""
        return self._mode if self._is_content(key) else None

    def body_mode(self, event_name: str) -> Mode | None:
        """Return how the body of a log record with this name is stored; None for as it is."""
        return self._mode if self._is_event(event_name) else None

    def applied(self, mode: Mode, text: str, cleaned: Cleaned | None) -> Cleaned:
        """Return what is stored of `text`: `<CONTENT>`, `<CONTENT:digest:characters>`, or the beginning of its cleaned form.

        Digests are of the text as it came. Truncating needs `cleaned`; without it nothing is stored.
        """
        if not text:
            return Cleaned(text=text)
        if mode == "hash":
            digest = hmac.new(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32]
            return Cleaned(text=f"<{CONTENT}:{digest}:{len(text)}>", receipts={(CONTENT, f"{RULE}/hash", ""): 1})
        if mode == "none" or cleaned is None:
            return Cleaned(text=f"<{CONTENT}>", receipts={(CONTENT, f"{RULE}/none", ""): 1})
        shortened, cuts = truncated(cleaned.text, self._chars)
        if not cuts:
            return cleaned
        return Cleaned(text=shortened, receipts={**cleaned.receipts, (TRUNCATED, f"{RULE}/truncated", ""): cuts}, findings=cleaned.findings)


class Captures:
    """The content policy: the rule for every tenant and environment, looked up once each."""

    def __init__(self, config: ContentConfig, pseudonym_key: bytes) -> None:
        is_content, is_event = _matcher(config.keys), _matcher(config.events)
        key = derived_key(pseudonym_key, "content")
        modes: tuple[Mode, ...] = ("truncated", "hash", "none")
        self._by_mode = {
            mode: Capture(mode, is_content=is_content, is_event=is_event, key=key, chars=config.truncate_chars) for mode in modes
        }
        self._rules = tuple((_glob(rule.tenant), _glob(rule.environment), rule.capture) for rule in config.rules)
        self._otherwise = config.capture

    def of(self, tenant: str | None, environment: str | None) -> Capture | None:
        """Return the capture of a tenant in an environment; None when all is stored."""
        matching = (
            capture for tenants, environments, capture in self._rules
            if tenants.fullmatch(tenant or "") and environments.fullmatch(environment or "")
        )  # fmt: skip
        mode = next(matching, self._otherwise)
        return None if mode == "full" else self._by_mode[mode]


def truncated(text: str, chars: int) -> tuple[str, int]:
    """Return `text` with every string of its JSON, or all of it, cut to `chars` characters, and how many were cut."""
    leaves = structure.walk(text)
    if leaves is None:
        cut = _cut(text, chars)
        return (cut, 1) if cut != text else (text, 0)
    long = [leaf for leaf in leaves if leaf.kind in (Kind.STRING, Kind.RAW) and len(leaf.text) > chars]
    changed = [(leaf, cut) for leaf in long if (cut := _cut(leaf.text, chars)) != leaf.text]
    return structure.rewritten(text, changed), len(changed)


def _cut(text: str, chars: int) -> str:
    """Return the beginning of a text and how much is gone; no placeholder is cut, and no mark is longer than what it stands for."""
    if len(text) <= chars:
        return text
    start = max(0, chars - _PLACEHOLDER_CHARS)
    inside = next(
        (each for each in _PLACEHOLDER.finditer(text, start, chars + _PLACEHOLDER_CHARS) if each.start() < chars < each.end()), None
    )
    end = chars if inside is None else inside.start()
    mark = f"…<{TRUNCATED}:{len(text) - end}>"
    return text[:end] + mark if end + len(mark) < len(text) else text


def _matcher(globs: Sequence[str]) -> Callable[[str], bool]:
    """Return whether a name matches one of the globs; answers are remembered."""
    exact = frozenset(each for each in globs if "*" not in each)
    patterns = tuple(_glob(each) for each in globs if "*" in each)
    known: dict[str, bool] = {}

    def matches(name: str) -> bool:
        answer = known.get(name)
        if answer is None:
            answer = name in exact or any(pattern.fullmatch(name) for pattern in patterns)
            if len(known) >= REMEMBERED_KEYS:
                known.clear()
            if len(name) <= KEY_LENGTH_LIMIT:
                known[name] = answer
        return answer

    return matches


def _glob(glob: str) -> re.Pattern[str]:
    """Return the expression of a glob: each part where it stands first, so that the time is linear in the name, which a sender chooses."""
    first, *rest = (re.escape(part) for part in glob.split("*"))
    if not rest:
        return re.compile(first)
    *middle, last = rest
    return re.compile("".join((first, *(f"(?>.*?{part})" for part in middle), ".*", last)), re.DOTALL)
