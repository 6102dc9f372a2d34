"""The steps that look something up: retrievals and memory."""

from collections.abc import Sequence
from typing import Literal, Self

from opentelemetry.trace import SpanKind

from auditlake import vocabulary as names
from auditlake._steps import Step
from auditlake._values import as_json, number


class Retrieval(Step):
    """A retrieval of documents."""

    _kind = "retrieval"
    _span_kind = SpanKind.CLIENT

    def sources(
        self, source_ids: Sequence[str], *, scores: Sequence[float] | None = None, freshness_seconds: float | None = None,
        max_age_seconds: float | None = None, access_decision: Literal["allow", "deny"] | None = None,
        citation_required: bool | None = None,
    ) -> Self:  # fmt: skip
        """Set what came back: the ids (an empty list means that nothing was found), their scores, the age of the oldest.

        `max_age_seconds` is the age beyond which a source is stale.
        """
        if scores is not None:
            documents = [{"id": source, "score": score} for source, score in zip(source_ids, scores, strict=True)]
            self.set(names.RETRIEVAL_DOCUMENTS, as_json(documents))
        self.set(names.RETRIEVAL_SOURCE_IDS, list(source_ids)).set(names.RETRIEVAL_FRESHNESS, number(freshness_seconds))
        self.set(names.RETRIEVAL_MAX_AGE, number(max_age_seconds))
        return self.set(names.RETRIEVAL_ACCESS, access_decision).set(names.RETRIEVAL_CITATION, citation_required)

    def evidence(
        self, *, missing: bool | None = None, stale: Sequence[str] | None = None, forbidden: Sequence[str] | None = None,
        citation_failures: int | None = None,
    ) -> Self:  # fmt: skip
        """Set what is wrong with it: nothing answers the question, which sources are stale, which must not be read, wrong citations.

        An empty list, False and 0 say that it was checked and is fine; what was not checked is left out. What turns up later is
        told by `retrieval_issue()`.
        """
        self.set(names.RETRIEVAL_MISSING, missing).set(names.RETRIEVAL_STALE_IDS, None if stale is None else list(stale))
        self.set(names.RETRIEVAL_FORBIDDEN_IDS, None if forbidden is None else list(forbidden))
        return self.set(names.RETRIEVAL_CITATION_FAILURES, citation_failures)


class Memory(Step):
    """Reading from, or writing to, the agent's memory."""

    _kind = "memory"

    def ids(self, *, read: Sequence[str] | None = None, written: Sequence[str] | None = None) -> Self:
        """Set which memories were read and written."""
        self.set(names.MEMORY_READ_IDS, None if read is None else list(read))
        return self.set(names.MEMORY_WRITE_IDS, None if written is None else list(written))
