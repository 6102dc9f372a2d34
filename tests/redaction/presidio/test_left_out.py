"""Presidio without the libraries of models."""

import importlib

import pytest

from redaction.errors import RedactionError
from redaction.presidio.left_out import left_out


def test_what_was_left_out_is_refused_when_it_is_used() -> None:
    """It can be imported, derived from, decorated with and annotated with: no more, so that nobody takes its silence for an answer."""
    with left_out(frozenset({"library_of_models"})):
        from library_of_models import Language  # type: ignore[import-not-found]
        from library_of_models.tokens import Doc  # type: ignore[import-not-found]

        class Engine(Doc):  # type: ignore[misc]
            pass

        @Language.factory("name", default_config={})
        def tokens(of: list[Doc]) -> object:
            return Doc(of)

    for use in (Doc, Engine, Language.factory, lambda: tokens([])):
        with pytest.raises(RedactionError, match="names none"):
            use()
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("another_library_of_models")
