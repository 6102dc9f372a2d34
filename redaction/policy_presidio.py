"""How personal data is detected: the `presidio` part of the policy. Nothing here imports Presidio."""

from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

from redaction.policy_defaults import COUNTRY_ENTITIES, DEFAULT_ENTITIES, MODEL_ENTITIES, OPTIONAL_ENTITIES
from redaction.recognizer_files import RecognizerPath, located

DEFAULT_MODEL_ENTITIES: Final = ("LOCATION", "NRP", "PERSON")
"""What a model is asked for by `entities: default`; organisations, as upstream, only on request: products and agents look like them."""

Entity = Annotated[str, Field(pattern="^[A-Z][A-Z0-9_]{0,63}$")]


def _country(code: Any) -> Any:
    lowered = code.lower() if isinstance(code, str) else code
    if lowered not in COUNTRY_ENTITIES:
        raise ValueError(f"unknown country {code!r}; known are {', '.join(COUNTRY_ENTITIES)} (phone_regions alone takes every country)")
    return lowered


def _model_path(model: Any, info: ValidationInfo) -> Any:
    """Folders become absolute; a name such as `org/model` stays one, unless there is such a folder."""
    if not isinstance(model, str) or "/" not in model:
        return model
    path = located(model, info)
    return str(path) if model.startswith(("./", "../")) or path.exists() else model


class Model(BaseModel):
    """What all parts of the policy have in common: they never change, and an unknown option is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PresidioConfig(Model):
    """How personal data is detected."""

    # Language of the texts (ISO 639-1), for the model. Patterns and context words of all recognizers apply to every text.
    language: Annotated[str, Field(pattern="^[a-z]{2}$")] = "en"
    # The model for names and places. `none` uses patterns and context words alone: no download, no model in memory.
    nlp_engine: Literal["none", "spacy", "transformers", "gliner", "stanza"] = "none"
    # Its model: a folder, or the name of one that is installed. Nothing is ever downloaded.
    nlp_model: Annotated[str | None, BeforeValidator(_model_path)] = None
    # Countries (au, de, uk …) whose identity, tax and vehicle numbers are looked for, and whose phone numbers.
    supported_countries: tuple[Annotated[str, BeforeValidator(_country)], ...] = ()
    # Files of further recognizers in Presidio's own YAML format; paths are relative to this file.
    recognizers: tuple[RecognizerPath, ...] = ()
    # `default`, or a list of entity names: exactly these are looked for, and those of `recognizers`. [] switches personal data off.
    entities: Literal["default"] | tuple[Entity, ...] = "default"
    # Findings below this confidence are dropped. 0.4 is what a weak pattern reaches only beside a context word.
    score_threshold: float = Field(default=0.4, gt=0, le=1)
    # Regions whose national phone numbers are recognised without a country code (ISO 3166); international numbers always are.
    phone_regions: tuple[Annotated[str, Field(pattern="^[A-Z]{2}$")], ...] = ("US",)
    # CPU time for one chunk (4,096 characters) of text; a text that takes longer is withheld.
    timeout_ms: int = Field(default=500, ge=10, le=60_000)
    # Scanner processes. One costs about 110 MB of memory, and its model.
    workers: int = Field(default=1, ge=1, le=32)
    # Longer texts (bytes of UTF-8) are withheld unseen.
    max_text_bytes: int = Field(default=4 * 1024 * 1024, ge=1024)

    @model_validator(mode="after")
    def _engine_has_a_model(self) -> Self:
        if self.nlp_engine != "none" and not self.nlp_model:
            raise ValueError(f"nlp_engine: {self.nlp_engine} needs nlp_model: a folder, or the name of a model that is installed")
        if self.nlp_engine == "none" and self.nlp_model:
            raise ValueError("nlp_model has no effect without nlp_engine: spacy, transformers, gliner or stanza")
        return self

    @model_validator(mode="after")
    def _entities_are_known(self) -> Self:
        if self.entities == "default":
            return self
        model_entities = () if self.nlp_engine == "none" else MODEL_ENTITIES
        known = {*DEFAULT_ENTITIES, *OPTIONAL_ENTITIES, *self._of_countries(), *model_entities, *self.file_entities()}
        for name in (name for name in self.entities if name not in known):
            if name in MODEL_ENTITIES:
                raise ValueError(f"{name} needs an nlp_engine; `names` and `sensitive_keys` find what they can without one")
            if country := next((code for code, entities in COUNTRY_ENTITIES.items() if name in entities), None):
                raise ValueError(f"{name} needs supported_countries: [{country}]")
            raise ValueError(f"unknown entities {name}; known are {', '.join(sorted(known))}")
        for country in self.supported_countries:
            if not set(COUNTRY_ENTITIES[country]) & set(self.entities):
                possible = ", ".join(COUNTRY_ENTITIES[country])
                raise ValueError(f"supported_countries: {country} has no effect on these entities: name some of {possible}")
        return self

    def entity_names(self) -> tuple[str, ...]:
        """Return the entities that are looked for, without those of files, in alphabetical order."""
        if self.entities != "default":
            return tuple(sorted(set(self.entities) - self.file_entities()))
        of_model = () if self.nlp_engine == "none" else DEFAULT_MODEL_ENTITIES
        return tuple(sorted({*DEFAULT_ENTITIES, *self._of_countries(), *of_model}))

    @property
    def loads_more(self) -> bool:
        """Whether there is something to load that may be missing or wrong: a model, or recognizers in files."""
        return self.nlp_engine != "none" or bool(self.recognizers)

    def file_entities(self) -> frozenset[str]:
        """Return the entities that the recognizers in files name."""
        return frozenset(entity for file in self.recognizers for entity in file.entities())

    def regions(self) -> tuple[str, ...]:
        """Return the regions of phone numbers: those that are listed, and those of the countries."""
        of_countries = ({"uk": "GB"}.get(code, code.upper()) for code in self.supported_countries)
        return tuple(dict.fromkeys((*self.phone_regions, *of_countries)))

    def _of_countries(self) -> Iterable[str]:
        return (entity for code in self.supported_countries for entity in COUNTRY_ENTITIES[code])
