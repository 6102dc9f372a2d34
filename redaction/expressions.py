"""Regular expressions; those of the policy with a time limit: they come from users and meet texts that others choose."""

from typing import Any, Final

import regex  # type: ignore[import-untyped]

LIMIT_SECONDS: Final = 0.05


def compiled(pattern: str) -> Any:
    """Return `pattern` compiled by the engine that Presidio uses: it knows newer digits and letters than `re` does."""
    return regex.compile(pattern)


class Expression:
    """One regular expression of the policy. Answers None when its time runs out, so that the caller can fail closed."""

    def __init__(self, pattern: str) -> None:
        """Raises `ValueError` when `pattern` is no regular expression, or one that matches the empty text and so everything."""
        try:
            self._compiled: Any = regex.compile(pattern)
        except regex.error as error:
            raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
        if self._compiled.fullmatch(""):
            raise ValueError(f"{pattern!r} matches the empty text, so it would match everything")

    def found_in(self, text: str) -> bool | None:
        """Whether the expression matches anywhere in `text`."""
        try:
            return self._compiled.search(text, timeout=LIMIT_SECONDS) is not None
        except TimeoutError:
            return None

    def matches(self, text: str) -> bool | None:
        """Whether the expression matches `text` as a whole."""
        try:
            return self._compiled.fullmatch(text, timeout=LIMIT_SECONDS) is not None
        except TimeoutError:
            return None
