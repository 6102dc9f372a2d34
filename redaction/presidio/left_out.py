"""Presidio without spaCy, which it imports whether a model is configured or not: half of a scanner's start and a third of its memory.

For processes in which no model is ever loaded. What Presidio takes from a library that is left out is an empty class, enough to derive
from, to decorate with and to annotate with; whoever makes use of one is refused, so that a text is withheld and never passed by.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

from redaction.errors import RedactionError

MODELS: Final = frozenset({"spacy", "thinc"})
"""The libraries that only models need."""


class _Absence(type):
    importing = False

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent

    def __call__(cls, *_arguments: object, **_options: object) -> Callable[[Any], Any]:
        if not _Absence.importing:
            raise RedactionError("use a model", hint="the policy names none (presidio.nlp_engine), so that no library of models is loaded")
        return lambda decorated: decorated


class Absent(metaclass=_Absence):
    """Stands for every name of a library that was left out."""


class _Module(ModuleType):
    def __getattr__(self, name: str) -> Any:
        return getattr(Absent, name)


class _Finder(MetaPathFinder, Loader):
    def __init__(self, libraries: frozenset[str]) -> None:
        self._libraries = libraries

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:  # noqa: ARG002 - importlib's
        return ModuleSpec(fullname, self, is_package=True) if fullname.partition(".")[0] in self._libraries else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is in it."""


@contextmanager
def left_out(libraries: frozenset[str] = MODELS) -> Iterator[None]:
    """Give what is imported meanwhile nothing of `libraries`; those that are loaded already stay."""
    finder = _Finder(libraries - sys.modules.keys())
    sys.meta_path.insert(0, finder)
    _Absence.importing = True
    try:
        yield
    finally:
        _Absence.importing = False
        sys.meta_path.remove(finder)
