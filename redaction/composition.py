"""What the policy makes of a text: by its key alone, from the findings in it, or from the results for the leaves of its JSON; pure.

A text with JSON in it is answered through its leaves, and a leaf may hold JSON again. So a question is first broken down into the
texts that a scanner has to see (`Composition.missing`), and then answered from what the scanner said (`Composition.answer`).
"""

from collections.abc import Iterator, Mapping
from typing import Final

from redaction import structure
from redaction.cache import Cache, Question
from redaction.expressions import Expression
from redaction.findings import (
    BLOCKED_KEY,
    ERROR,
    KEY_NOT_ALLOWED,
    TIMEOUT,
    TOO_LARGE,
    WITHHELD,
    Cleaned,
    Finding,
    Findings,
    Verdict,
    rewritten,
    total,
    withheld,
)
from redaction.keys import Handling, KeyClass, KeyRules, looks_like_identifier
from redaction.policy import OPTIONAL_ENTITIES, RedactionConfig
from redaction.prefilter import Prefilter
from redaction.pseudonym import pseudonym
from redaction.scan import CHUNK_CHARS
from redaction.secrets import PRIVATE_KEY, spread_key_lines
from redaction.structure import Kind, Leaf

NESTING_LIMIT: Final = 8
"""JSON inside JSON inside …: deeper text is scanned as it is, with its escapes read."""

SHORT_SCALAR_CHARS: Final = 6
"""Numbers this short, true, false and null name nobody."""

BLOCKED: Final = Cleaned(text=f"<{BLOCKED_KEY}>", counts={BLOCKED_KEY: 1})
REMOVED: Final = Cleaned(text=f"<{KEY_NOT_ALLOWED}>", counts={KEY_NOT_ALLOWED: 1})
TIMED_OUT: Final = withheld(TIMEOUT).text
"""The only withheld result that is remembered: the budget counts CPU time, so trying again would end the same and cost as much."""

_NOT_IN_IDENTIFIERS: Final = frozenset({*OPTIONAL_ENTITIES, "BLOCKED_VALUE"})
"""What an id that the pipeline needs may be: a UUID, a host, a time."""

Scan = tuple[str, tuple[str, ...]]
"""A text and its context words: what a scanner is asked."""


class Rules:
    """The policy as functions of a text and the class of its key."""

    def __init__(self, config: RedactionConfig, pseudonym_key: bytes, prefilter: Prefilter) -> None:
        self.keys = KeyRules(config)
        self._prefilter = prefilter
        self._pseudonym_key = pseudonym_key
        self._allowed_values = tuple(Expression(pattern) for pattern in config.allowed_values)
        self._blocks_values = bool(config.blocked_values)
        self.finds_secrets = config.secrets.enabled
        self._max_text_bytes = config.presidio.max_text_bytes

    @staticmethod
    def constant(key_class: KeyClass) -> Cleaned | None:
        """Return what stands for every value of a key, if the policy leaves none of it."""
        return {Handling.REMOVE: REMOVED, Handling.BLOCK: BLOCKED}.get(key_class.handling)

    def decided(self, text: str, key_class: KeyClass) -> Cleaned | KeyClass:
        """Return the result when the key alone decides it, else the class under which the text has to be scanned."""
        match key_class.handling:
            case Handling.SCAN if text:
                return withheld(TOO_LARGE) if self._too_large(text) else key_class
            case Handling.SCAN | Handling.KEEP:
                return Cleaned(text=text)
            case Handling.EXEMPT if looks_like_identifier(text):
                return self.keys.identifier if self._prefilter.may_match_default(text, ()) else Cleaned(text=text)
            case Handling.REMOVE:
                return REMOVED
        blocked = key_class.handling is Handling.BLOCK or key_class.blocked_otherwise
        return BLOCKED if blocked and not self._allows(text) else self.keys.plain

    def cleaned(self, text: str, key_class: KeyClass, verdict: Verdict) -> Cleaned:
        """Return the result for a text whose findings, or the reason to withhold it, are known."""
        if isinstance(verdict, str):
            return withheld(verdict)
        if key_class.identifier:
            verdict = tuple(each for each in verdict if each.entity not in _NOT_IN_IDENTIFIERS)
        found = verdict if not self._allowed_values else self._not_allowed(text, verdict)
        return rewritten(text, found, self._pseudonym if key_class.pseudonymise else _name)

    def is_trivial(self, number: str) -> bool:
        """Whether a JSON scalar is too short to name anybody."""
        return len(number) <= SHORT_SCALAR_CHARS and not self._blocks_values

    def _not_allowed(self, text: str, findings: Findings) -> Findings:
        if findings and self._allows(text):
            return ()
        return tuple(each for each in findings if not self._allows(text[each.start : each.end]))

    def _allows(self, text: str) -> bool:
        return any(pattern.matches(text) for pattern in self._allowed_values)

    def _pseudonym(self, entity: str, text: str) -> str:
        return pseudonym(self._pseudonym_key, entity, text)

    def _too_large(self, text: str) -> bool:
        if len(text) * 4 <= self._max_text_bytes:
            return False
        return len(text) > self._max_text_bytes or len(text.encode("utf-8", "surrogatepass")) > self._max_text_bytes


def _name(entity: str, _text: str) -> str:
    return f"<{entity}>"


class Composition:
    """The questions of one call, answered together: each distinct text is scanned once, whatever it stands in."""

    def __init__(self, rules: Rules, cache: Cache, prefilter: Prefilter) -> None:
        self._rules = rules
        self._cache = cache
        self._prefilter = prefilter
        self._known: dict[Question, Cleaned] = {}
        self._asked: set[Question] = set()
        self._leaves: dict[str, tuple[Leaf, ...] | None] = {}
        self.missing: dict[Scan, None] = {}

    def ask(self, text: str, key_class: KeyClass, depth: int = 0) -> None:
        """Find out what has to be scanned to answer for `text`; it is added to `missing`."""
        question = (text, key_class)
        if question in self._known or question in self._asked:
            return
        self._asked.add(question)
        known = self._cache.get(question)
        decided = known if known is not None else self._rules.decided(text, key_class)
        if isinstance(decided, Cleaned):
            self._known[question] = decided
            return
        if decided is not key_class:
            self.ask(text, decided, depth)
            return
        leaves = self._walked(text, depth)
        if leaves is None:
            if len(text) <= CHUNK_CHARS and not self._prefilter.may_match(text, key_class.context):
                self._known[question] = Cleaned(text=text)
                self._cache.put(question, self._known[question])
            else:
                self.missing[text, key_class.context] = None
            return
        for leaf, leaf_class in self._questions(leaves, key_class):
            self.ask(leaf.text, leaf_class, depth + 1)

    def answer(self, text: str, key_class: KeyClass, verdicts: Mapping[Scan, Verdict], depth: int = 0) -> Cleaned:
        """Return the result for a text that was asked about, given the verdicts on everything in `missing`."""
        question = (text, key_class)
        known = self._known.get(question)
        if known is not None:
            return known
        decided = self._rules.decided(text, key_class)
        if isinstance(decided, Cleaned):
            result = decided
        elif decided is not key_class:
            result = self.answer(text, decided, verdicts, depth)
        elif (leaves := self._walked(text, depth)) is None:
            result = self._rules.cleaned(text, key_class, verdicts.get((text, key_class.context), ERROR))
        else:
            answers = [
                (leaf, self.answer(leaf.text, leaf_class, verdicts, depth + 1)) for leaf, leaf_class in self._questions(leaves, key_class)
            ]
            if self._rules.finds_secrets:
                answers = _without_spread_keys(answers)
            result = _composed(text, [(leaf, each) for leaf, each in answers if each.text != leaf.text])
        self._known[question] = result
        if WITHHELD not in result.counts or result.text == TIMED_OUT:
            self._cache.put(question, result)
        return result

    def _questions(self, leaves: tuple[Leaf, ...], outer: KeyClass) -> Iterator[tuple[Leaf, KeyClass]]:
        for leaf in leaves:
            leaf_class = self._class_of(leaf, outer)
            if leaf.kind is Kind.SCALAR and leaf_class.handling is Handling.SCAN and self._rules.is_trivial(leaf.text):
                continue
            yield leaf, leaf_class

    def _walked(self, text: str, depth: int) -> tuple[Leaf, ...] | None:
        if depth > NESTING_LIMIT:
            return None
        if text not in self._leaves:
            self._leaves[text] = structure.walk(text)
        return self._leaves[text]

    def _class_of(self, leaf: Leaf, outer: KeyClass) -> KeyClass:
        if leaf.kind is Kind.KEY:
            return self._rules.keys.plain
        return outer if leaf.key is None else self._rules.keys.nested(leaf.key)


def _without_spread_keys(answers: list[tuple[Leaf, Cleaned]]) -> list[tuple[Leaf, Cleaned]]:
    """Return the answers without the lines of private keys that are spread over strings of their own."""
    if not any("PRIVATE KEY-----" in leaf.text or "PRIVATE KEY BLOCK-----" in leaf.text for leaf, _ in answers):
        return answers
    strings = [index for index, (leaf, _) in enumerate(answers) if leaf.kind is Kind.STRING]
    for line in spread_key_lines([answers[index][0].text for index in strings]):
        leaf, known = answers[strings[line]]
        if known.text != f"<{PRIVATE_KEY}>" and leaf.text.strip():
            finding = Finding(0, len(leaf.text), PRIVATE_KEY, 1.0, "SecretRecognizer/line of a PEM private key")
            answers[strings[line]] = (leaf, rewritten(leaf.text, (finding,), _name))
    return answers


def _composed(text: str, changed: list[tuple[Leaf, Cleaned]]) -> Cleaned:
    """Return the result for `text`, whose leaves in `changed` have a new meaning."""
    if not changed:
        return Cleaned(text=text)
    outermost: list[tuple[Leaf, Cleaned]] = []
    for leaf, result in sorted(changed, key=lambda each: (each[0].start, -each[0].end)):
        if not outermost or leaf.start >= outermost[-1][0].end:
            outermost.append((leaf, result))
    return Cleaned(
        text=structure.rewritten(text, [(leaf, result.text) for leaf, result in outermost]),
        counts=total(result.counts for _, result in outermost),
        findings=tuple(sorted(each for leaf, result in outermost for each in _located(text, leaf, result))),
    )


def _located(text: str, leaf: Leaf, result: Cleaned) -> Findings:
    """Return a leaf's findings as positions in the text around it."""
    if result is BLOCKED:
        return (Finding(leaf.start, leaf.end, BLOCKED_KEY, 1.0, "policy/blocked_key_patterns"),)
    if not result.findings:
        return ()
    positions = structure.positions(text, leaf)
    return tuple(Finding(positions[each.start], positions[each.end], each.entity, each.score, each.rule) for each in result.findings)
