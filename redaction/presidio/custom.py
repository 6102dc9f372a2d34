"""Recognizers from files in Presidio's own YAML format, made by Presidio's own loader.

Each recognizer is loaded by itself, so that an error names the file, the recognizer and the field. Instances for every language that a
recognizer names run for every text. What would call a service or load a model of its own is refused: texts leave the process for nobody,
and models are `nlp_engine`'s.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from presidio_analyzer.recognizer_registry import RecognizerRegistryProvider
from presidio_analyzer.recognizer_registry.recognizers_loader_utils import RecognizerListLoader
from pydantic import ValidationError

from redaction.errors import RedactionError
from redaction.policy_presidio import PresidioConfig
from redaction.recognizer_files import RecognizerFile, is_custom

_FLAGS: Final = 26
"""Upstream's default: ignore case, `.` matches line ends, `^` and `$` match at lines."""

_ALLOWED: Final = ("presidio_analyzer.predefined_recognizers.generic.", "presidio_analyzer.predefined_recognizers.country_specific.")
_BAD_VALUES: Final = (ValueError, TypeError, KeyError, AttributeError)


def file_recognizers(config: PresidioConfig) -> Iterator[Any]:
    """Yield the recognizers of all files, in the order in which they stand there. Raises `RedactionError` for what cannot be made."""
    for file in config.recognizers:
        registry = file.registry()
        unknown = registry.keys() - {"recognizers", "supported_languages", "supported_countries", "global_regex_flags"}
        if unknown:
            raise _refused(file, "registry", min(map(str, unknown)), "is no key of Presidio's registry")
        for recognizer in file.enabled():
            yield from _loaded(file, recognizer, registry, config.language)


def _loaded(file: RecognizerFile, recognizer: Mapping[str, Any], registry: Mapping[str, Any], language: str) -> list[Any]:
    name = recognizer["name"]
    _check_kind(file, recognizer)
    languages = _languages(recognizer) or registry.get("supported_languages") or [language]
    configuration = {
        "recognizers": [dict(recognizer)],
        "supported_languages": languages,
        "global_regex_flags": registry.get("global_regex_flags", _FLAGS),
    }
    try:
        loaded = RecognizerRegistryProvider(registry_configuration=configuration).create_recognizer_registry().recognizers
    except _BAD_VALUES as error:
        field, problem = _reason(error)
        raise _refused(file, name, field, problem) from None
    if not loaded:
        raise _refused(file, name, "supported_languages", "none of them is supported by the file")
    return list(loaded)


def _check_kind(file: RecognizerFile, recognizer: Mapping[str, Any]) -> None:
    if is_custom(recognizer):
        return
    known = str(recognizer.get("class_name") or recognizer["name"])
    try:
        module = RecognizerListLoader.get_existing_recognizer_cls(known).__module__
    except Exception as error:  # noqa: BLE001 - upstream's own class; it says no more than this
        raise _refused(file, recognizer["name"], "name", f"Presidio has no recognizer {known} ({type(error).__name__})") from None
    if not f"{module}.".startswith(_ALLOWED):
        raise _refused(file, recognizer["name"], "name", "loads a model or calls a service: use nlp_engine, or leave it out")


def _languages(recognizer: Mapping[str, Any]) -> list[str]:
    several = recognizer.get("supported_languages") or []
    one = recognizer.get("supported_language")
    named = [each.get("language", "") if isinstance(each, dict) else str(each) for each in several]
    return [*named, *([one] if one else [])]


def _reason(error: Exception) -> tuple[str, str]:
    """Return which field is wrong, and why; upstream wraps pydantic's error."""
    cause = error if isinstance(error, ValidationError) else error.__cause__
    if not isinstance(cause, ValidationError):
        return "fields", str(error)
    detail = cause.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in detail["loc"] if part != "recognizers" and not isinstance(part, int))
    return where or "fields", detail["msg"].removeprefix("Value error, ")


def _refused(file: RecognizerFile, recognizer: str, field: str, problem: str) -> RedactionError:
    return RedactionError(f"load recognizer {recognizer!r}", file.path, hint=f"{field}: {problem}")
