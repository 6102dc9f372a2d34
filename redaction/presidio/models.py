"""Language models for names and places, through Presidio's own engines; what is missing is an error, never a download.

The model is a recognizer like the others: it looks at every text that has a letter in it, by chunks, within their time budget, and what
it finds overlaps with other findings as usual.
"""

import importlib.util
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import regex  # type: ignore[import-untyped]
import spacy
from presidio_analyzer import LocalRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpEngineProvider, SpacyNlpEngine, StanzaNlpEngine, TransformersNlpEngine
from presidio_analyzer.predefined_recognizers import GLiNERRecognizer, SpacyRecognizer

from redaction.errors import RedactionError
from redaction.policy_defaults import MODEL_ENTITIES
from redaction.policy_presidio import PresidioConfig

LETTERS: Final = r"[^\W\d_]"
"""Every text that a model looks at matches this: there is no name in numbers."""

_LETTER: Final = regex.compile(LETTERS)
_ASKED: Final = frozenset((*MODEL_ENTITIES, "DATE_TIME"))
_PACKAGES: Final = {"transformers": ("transformers", "torch"), "gliner": ("gliner",), "stanza": ("stanza",)}
_LABELS: Final = {
    **dict.fromkeys(("PER", "PERSON", "PATIENT", "STAFF", "HCW"), "PERSON"),
    **dict.fromkeys(("LOC", "LOCATION", "GPE", "FAC"), "LOCATION"),
    **dict.fromkeys(("ORG", "ORGANIZATION", "HOSP", "HOSPITAL", "PATORG"), "ORGANIZATION"),
    **dict.fromkeys(("NORP", "NRP"), "NRP"),
    **dict.fromkeys(("DATE", "TIME", "DATE_TIME"), "DATE_TIME"),
}
"""Labels of the usual models → Presidio's entities; others are not reported."""

_GLINER_LABELS: Final = {
    "person": "PERSON", "location": "LOCATION", "address": "LOCATION", "organization": "ORGANIZATION", "nationality": "NRP",
    "religious group": "NRP", "political group": "NRP", "date": "DATE_TIME",
}  # fmt: skip


def model_recognizers(config: PresidioConfig) -> Iterator[Any]:
    """Yield the recognizer of the policy's model, if it has one. Raises `RedactionError` when a package or the model is missing."""
    entities = sorted(_ASKED & set(config.entity_names()))
    model = config.nlp_model
    if config.nlp_engine == "none" or model is None or not entities:
        return
    _check_packages(config.nlp_engine)
    _CHECKS[config.nlp_engine](model)
    try:
        gliner = config.nlp_engine == "gliner"
        yield _gliner(config, model, entities) if gliner else ModelRecognizer(_engine(config, model), config.language, entities)
    except RedactionError:
        raise
    except Exception as error:  # the boundary to other people's models: whatever they raise, the policy cannot be applied
        hint = f"{type(error).__name__}: is it a {config.nlp_engine} model, complete, and of a version that this one reads?"
        raise RedactionError(f"load the {config.nlp_engine} model", model, hint=hint) from error


class ModelRecognizer(LocalRecognizer):
    """A pipeline of one of Presidio's engines as a recognizer that runs it itself."""

    def __init__(self, engine: Any, language: str, entities: list[str]) -> None:
        name = f"{engine.engine_name.capitalize()}Model"
        self._engine = engine
        self._language = language
        self._reader = SpacyRecognizer(supported_entities=entities, supported_language=language, name=name)
        super().__init__(supported_entities=entities, supported_language=language, name=name)

    def load(self) -> None:
        """The engine is loaded already."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[Any]:  # noqa: ARG002
        if _LETTER.search(text) is None:
            return []
        results: list[Any] = self._reader.analyze(text, entities, self._engine.process_text(text, self._language))
        for each in results:
            each.recognition_metadata[RecognizerResult.RECOGNIZER_IDENTIFIER_KEY] = self.id
        return results


class Gliner(GLiNERRecognizer):
    """Upstream's recognizer, asked for its own entities alone: it would take those of all other recognizers for labels."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[Any]:  # noqa: ARG002
        return [] if _LETTER.search(text) is None else list(super().analyze(text, self.supported_entities))


class _NoDownload:
    """Mixed into upstream's engines, which fetch a model that they do not find."""

    @staticmethod
    def _download_spacy_model_if_needed(model_name: str) -> None:
        _check_spacy(model_name)


class _Spacy(_NoDownload, SpacyNlpEngine):
    pass


class _Transformers(_NoDownload, TransformersNlpEngine):
    pass


class _Stanza(_NoDownload, StanzaNlpEngine):
    def __init__(self, models: Any, ner_model_configuration: Any) -> None:
        super().__init__(models, ner_model_configuration, download_if_missing=False)


def _engine(config: PresidioConfig, model: str) -> Any:
    """Return the loaded engine of Presidio's provider."""
    labels = {"model_to_presidio_entity_mapping": _LABELS, "labels_to_ignore": []}
    with tempfile.TemporaryDirectory() as folder:
        names: Any = model
        if config.nlp_engine == "transformers":  # its tokens come from a pipeline of spaCy, for which the bare language is enough
            spacy.blank(config.language).to_disk(folder)
            names = {"spacy": folder, "transformers": model}
        return NlpEngineProvider(
            nlp_engines=(_Spacy, _Transformers, _Stanza),
            nlp_configuration={
                "nlp_engine_name": config.nlp_engine,
                "models": [{"lang_code": config.language, "model_name": names}],
                "ner_model_configuration": labels,
            },
        ).create_engine()


def _gliner(config: PresidioConfig, model: str, entities: list[str]) -> Any:
    mapping = {label: entity for label, entity in _GLINER_LABELS.items() if entity in entities}
    return Gliner(model_name=model, entity_mapping=mapping, supported_language=config.language, local_files_only=True)


def _check_packages(engine: str) -> None:
    for package in _PACKAGES.get(engine, ()):
        if importlib.util.find_spec(package) is None:
            raise RedactionError(
                f"use nlp_engine: {engine}", f"the package {package} is missing", hint=f"pip install 'auditlake[{engine}]'"
            )


def _check_spacy(model: str) -> None:
    if not (spacy.util.is_package(model) or Path(model, "config.cfg").is_file()):
        hint = f"install it (python -m spacy download {Path(model).name}), or name the folder of a pipeline; nothing is downloaded here"
        raise RedactionError("load the spaCy model", model, hint=hint)


def _check_hub(model: str, *files: str) -> None:
    if any(Path(model, name).is_file() for name in files):
        return
    from huggingface_hub import try_to_load_from_cache  # type: ignore[import-not-found]

    if "\\" in model or model.startswith(("/", ".")) or not any(isinstance(try_to_load_from_cache(model, name), str) for name in files):
        hint = f"fetch it beforehand (hf download {Path(model).name}), or name its folder; nothing is downloaded here"
        raise RedactionError("load the model", model, hint=hint)


def _check_stanza(model: str) -> None:
    resources = Path(os.environ.get("STANZA_RESOURCES_DIR") or Path.home() / "stanza_resources")
    if not (resources / "resources.json").is_file() or not (resources / model).is_dir():
        hint = f"fetch it beforehand (python -c \"import stanza; stanza.download('{model}')\"); nothing is downloaded here"
        raise RedactionError("load the Stanza model", resources / model, hint=hint)


_CHECKS: Final[Mapping[str, Any]] = {
    "spacy": _check_spacy,
    "transformers": lambda model: _check_hub(model, "config.json"),
    "gliner": lambda model: _check_hub(model, "gliner_config.json", "config.json"),
    "stanza": _check_stanza,
}
