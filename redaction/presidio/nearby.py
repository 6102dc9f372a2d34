"""Context words as Presidio's engine takes them: whole words among the few before a match, or in the attribute's key."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from presidio_analyzer import RecognizerResult
from presidio_analyzer.context_aware_enhancers import ContextAwareEnhancer
from presidio_analyzer.nlp_engine import NlpArtifacts

from redaction.context import WORDS_BEFORE, context

_UNLESS: Final = {"US_BANK_NUMBER": ("balance", "amount", "total")}
"""Words that say that a number beside a context word is something else: the balance of an account is not its number."""


class NearbyWords(ContextAwareEnhancer):
    """Raises a score by upstream's amounts when a context word of the recognizer stands before the match or in the key."""

    def __init__(self, recognizers: Iterable[Any]) -> None:
        super().__init__(
            context_similarity_factor=0.35,
            min_score_with_context_similarity=0.4,
            context_prefix_count=WORDS_BEFORE,
            context_suffix_count=0,
        )
        self._contexts = {each.id: context(each.context or (), _UNLESS.get(each.supported_entities[0], ())) for each in recognizers}

    def enhance_using_context(
        self,
        text: str,
        raw_results: list[Any],
        nlp_artifacts: Any,  # noqa: ARG002
        recognizers: list[Any],
        context: list[str] | None = None,
    ) -> list[Any]:
        by_id = {recognizer.id: recognizer for recognizer in recognizers}
        for result in raw_results:
            recognizer = by_id[result.recognition_metadata[RecognizerResult.RECOGNIZER_IDENTIFIER_KEY]]
            word = self._contexts[recognizer.id].near(text, result.start, context or ())
            if word is not None:
                raised = max(result.score + self.context_similarity_factor, self.min_score_with_context_similarity)
                result.score = min(raised, self.MAX_SCORE)
                result.analysis_explanation.set_supportive_context_word(word)
                result.analysis_explanation.set_improved_score(result.score)
        return raw_results


class KeyWords(NlpArtifacts):
    """The words of the attribute key, on the way through Presidio to the recognizers that want them; no tokens: nothing reads them."""

    def __init__(self, key_words: Sequence[str], language: str) -> None:
        tokens: Any = ()
        super().__init__(entities=[], tokens=tokens, tokens_indices=[], lemmas=[], nlp_engine=None, language=language)
        self.key_words = tuple(key_words)


def key_words_of(nlp_artifacts: Any) -> Sequence[str]:
    return nlp_artifacts.key_words if isinstance(nlp_artifacts, KeyWords) else ()
