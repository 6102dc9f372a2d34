"""Stock Presidio with the recognizers of a policy: what the fast path is held against, in tests and in benchmarks."""

from collections.abc import Sequence

from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import NoOpNlpEngine

from redaction.findings import Finding, Findings
from redaction.policy import RedactionConfig
from redaction.presidio.detectors import detectors
from redaction.presidio.nearby import KeyWords, NearbyWords
from redaction.presidio.silence import silence


class Stock:
    """`AnalyzerEngine.analyze` with every recognizer on every text, and nothing of ours before or after it."""

    def __init__(self, config: RedactionConfig, *, long: bool = False) -> None:
        """With `long`, only the recognizers whose findings may be longer than a chunk."""
        silence()
        recognizers = [each.recognizer for each in detectors(config) if each.long or not long]
        self._language = config.presidio.language
        self._engine = AnalyzerEngine(
            registry=RecognizerRegistry(recognizers=recognizers, supported_languages=[self._language]),
            nlp_engine=NoOpNlpEngine([{"lang_code": self._language, "model_name": "no_op"}]),
            supported_languages=[self._language],
            default_score_threshold=config.presidio.score_threshold,
            context_aware_enhancer=NearbyWords(recognizers),
        )

    def find(self, text: str, context: Sequence[str]) -> Findings:
        """Return the findings in a text, as `redaction.presidio.analyzer.Analyzer.find` does."""
        artifacts = KeyWords(context, self._language)
        results = self._engine.analyze(text, self._language, context=list(context), nlp_artifacts=artifacts, return_decision_process=True)
        return tuple(sorted(_finding(each) for each in results))


def _finding(result: object) -> Finding:
    start, end, entity, score, explanation = (
        getattr(result, name) for name in ("start", "end", "entity_type", "score", "analysis_explanation")
    )
    pattern = f"/{explanation.pattern_name}" if explanation.pattern_name else ""
    return Finding(start, end, entity, round(score, 4), f"{explanation.recognizer}{pattern}")


def places(findings: Findings) -> set[tuple[int, int, str, float]]:
    """Return where what was found with which score: on ties between two rules, which one is named follows the order of a set."""
    return {(each.start, each.end, each.entity, each.score) for each in findings}
