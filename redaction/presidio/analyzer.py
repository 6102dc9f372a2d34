"""Presidio's analysis of one text: the recognizers that can match it, context words, the threshold, and no duplicates.

What `AnalyzerEngine.analyze` does with all recognizers is done here with the candidates alone; a test holds that the findings are the
same. Three things are closed that upstream leaves open: the public-suffix list is the bundled snapshot and never the network; a pattern
whose time runs out withholds the text instead of being skipped; and nothing is ever logged, because upstream logs matched text.

Importing this module costs about a second and 100 MB, so only the scanner process and `clean_now` do.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from presidio_analyzer import EntityRecognizer, RecognizerResult

from redaction import known_gates
from redaction.conditions import identity, open_gate
from redaction.findings import Finding, Findings
from redaction.policy import RedactionConfig
from redaction.presidio.detectors import Detector, conditions, detectors
from redaction.presidio.nearby import KeyWords, NearbyWords
from redaction.presidio.silence import silence


class Analyzer:
    """Everything that a policy looks for. Not thread-safe for the first call; later calls are."""

    def __init__(self, config: RedactionConfig, *, cache_folder: Path | None = None) -> None:
        """`cache_folder` keeps the compiled prefilter; without one it is compiled anew."""
        silence()
        self.detectors: tuple[Detector, ...] = detectors(config)
        looked_for = conditions(config, self.detectors)
        self.gate = open_gate(looked_for, cache_folder)
        if cache_folder is not None and self.gate.is_fast:
            known_gates.remember(config, cache_folder, identity(looked_for))
        self._language = config.presidio.language
        self._threshold = config.presidio.score_threshold
        self._entities = sorted({entity for each in self.detectors for entity in each.recognizer.supported_entities})
        self._own_thresholds = {each.recognizer.id: own for each in self.detectors if (own := each.recognizer.score_thresholds)}
        self._enhancer = NearbyWords(each.recognizer for each in self.detectors)
        self._long = sum(1 << index for index, each in enumerate(self.detectors) if each.long)
        self._chosen: dict[int, tuple[Any, ...]] = {}

    def find(self, text: str, context: Sequence[str]) -> Findings:
        """Return what the recognizers find; raises whatever a recognizer raises."""
        return self._run(self.gate.candidates(text, context), text, context)

    def find_long(self, text: str) -> Findings:
        """Return entities that can be longer than a chunk; linear in the text."""
        return self._run(self.gate.candidates(text, ()) & self._long, text, ())

    def _run(self, mask: int, text: str, context: Sequence[str]) -> Findings:
        if not mask:
            return ()
        recognizers = self._recognizers(mask)
        artifacts = KeyWords(context, self._language)
        results: list[Any] = []
        for recognizer in recognizers:
            results += self._results(recognizer, text, artifacts)
        if not results:
            return ()
        words = list(context)
        results = self._enhancer.enhance_using_context(text, results, artifacts, list(recognizers), words)
        certain = [each for each in results if each.score >= (self._lowest(each) if self._own_thresholds else self._threshold)]
        return tuple(sorted(_finding(each) for each in EntityRecognizer.remove_duplicates(certain)))

    def _lowest(self, result: Any) -> float:
        """Return what a finding has to reach: recognizers in files may have thresholds of their own."""
        own = self._own_thresholds.get(result.recognition_metadata[RecognizerResult.RECOGNIZER_IDENTIFIER_KEY], {})
        return float(own.get(result.entity_type, own.get("default", self._threshold)))

    def _recognizers(self, mask: int) -> tuple[Any, ...]:
        """Return the recognizers whose bits are set; the same few combinations come again and again."""
        known = self._chosen.get(mask)
        if known is None:
            if len(self._chosen) > 4096:
                self._chosen.clear()
            known = self._chosen[mask] = tuple(each.recognizer for index, each in enumerate(self.detectors) if mask >> index & 1)
        return known

    def _results(self, recognizer: Any, text: str, artifacts: KeyWords) -> list[Any]:
        results = recognizer.analyze(text=text, entities=self._entities, nlp_artifacts=artifacts) or []
        for each in results:
            each.recognition_metadata = each.recognition_metadata or {}
            each.recognition_metadata.setdefault(RecognizerResult.RECOGNIZER_IDENTIFIER_KEY, recognizer.id)
        return list(results)


def _finding(result: Any) -> Finding:
    explanation = result.analysis_explanation
    pattern = f"/{explanation.pattern_name}" if explanation.pattern_name else ""
    return Finding(result.start, result.end, result.entity_type, round(result.score, 4), f"{explanation.recognizer}{pattern}")
