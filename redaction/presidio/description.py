"""What a policy looks for, in words: for `auditlake validate` and `auditlake doctor`, which load all of it as a scanner does."""

from dataclasses import dataclass
from pathlib import Path

from redaction.policy import RedactionConfig
from redaction.presidio.analyzer import Analyzer


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What was loaded."""

    recognizers: int
    entities: tuple[str, ...]  # in alphabetical order
    slow: tuple[str, ...]  # with Hyperscan: recognizers that look at every text all the same
    is_fast: bool  # whether Hyperscan decides which recognizers look at a text
    model: str  # "engine model", empty for none


def describe(config: RedactionConfig, *, cache_folder: Path | None = None) -> Description:
    """Load everything that the policy looks for, and leave the compiled prefilter in `cache_folder`.

    Raises `RedactionError` for a file of recognizers or a model that cannot be used.
    """
    analyzer = Analyzer(config, cache_folder=cache_folder)
    always = analyzer.gate.candidates("a", ()) if analyzer.gate.is_fast else 0
    presidio = config.presidio
    return Description(
        recognizers=len(analyzer.detectors),
        entities=tuple(sorted({entity for each in analyzer.detectors for entity in each.recognizer.supported_entities})),
        slow=tuple(sorted({each.recognizer.name for index, each in enumerate(analyzer.detectors) if always >> index & 1})),
        is_fast=analyzer.gate.is_fast,
        model="" if presidio.nlp_engine == "none" else f"{presidio.nlp_engine} {presidio.nlp_model}",
    )
