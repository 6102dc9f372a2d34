"""The questions of one call, taken apart and answered: by keys alone, from findings, or from the answers for the leaves of JSON.

A text with JSON in it is answered through its leaves, and a leaf may hold JSON again. So a question is first broken down into the
texts that a scanner has to see (`Composition.missing`), and then answered from what the scanner said (`Composition.answer`). What goes
to the vault is collected on the way (`Composition.sealed`); such answers are remembered only when it is safe there (`remember`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

from redaction import blobs, pairs, structure
from redaction.actions import Treatment
from redaction.cache import Cache, Question
from redaction.errors import VaultError
from redaction.findings import ERROR, TIMEOUT, WITHHELD, Cleaned, Finding, Findings, Verdict, total, withheld
from redaction.keys import Handling, KeyClass
from redaction.prefilter import Prefilter
from redaction.rules import Rules
from redaction.secrets import PRIVATE_KEY, spread_key_lines
from redaction.structure import Kind, Leaf, Paths, Place
from redaction.survey import is_plain
from redaction.vault import Sealed, placeholder

NESTING_LIMIT: Final = 24
"""JSON inside JSON inside …: each level doubles the backslashes inside, so that no text within the limit is deeper."""

TIMED_OUT: Final = withheld(TIMEOUT).text
"""The only withheld result that is remembered: the budget counts CPU time, so trying again would end the same and cost as much."""

_BLOB_RECEIPT: Final = {(blobs.BLOB, blobs.RULE, ""): 1}
SPREAD_RULE: Final = "SecretRecognizer/line of a PEM private key"

Scan = tuple[str, tuple[str, ...]]
"""A text and its context words: what a scanner is asked."""


class References(Protocol):
    """What names originals (`redaction.vault.Vault`)."""

    def reference(self, subject: str, entity: str, text: str) -> str: ...

    def generation(self) -> int: ...


class Originals(References, Protocol):
    """What keeps originals (`redaction.vault.Vault`)."""

    def seal(self, values: Sequence[Sealed]) -> None: ...


def generation(vault: References | None) -> int | None:
    """Return the generation of the vault; None when there is none or it does not answer: then nothing with originals is remembered."""
    try:
        return None if vault is None else vault.generation()
    except VaultError:
        return None


class _Seals:
    """Collects what goes to the vault. Apart from the `Composition`, which would else hold itself and all its texts until the garbage
    collector comes round.
    """

    def __init__(self, vault: References | None, subject: str | None) -> None:
        self._vault = vault
        self._subject = subject
        self.sealed: dict[str, Sealed] = {}
        self.count = 0  # of originals that answers stand for, those of remembered answers, too

    def seal(self, entity: str, text: str) -> str:
        """Return what stands for an original that the vault has to keep."""
        if self._vault is None:
            raise VaultError("keep an original", hint="no vault is open", failure="unavailable")
        subject = self._subject if self._subject is not None else text.strip().casefold()
        reference = self._vault.reference(subject, entity, text)
        self.sealed[reference] = Sealed(reference=reference, subject=subject, entity=entity, text=text)
        self.count += 1
        return placeholder(entity, reference)


class Composition:
    """The questions of one call: each distinct text is scanned once, whatever it stands in. `subject` is whose data the texts are."""

    def __init__(
        self, rules: Rules, cache: Cache, prefilter: Prefilter, *, vault: References | None = None, subject: str | None = None
    ) -> None:
        self._rules = rules
        self._cache = cache
        self._prefilter = prefilter
        self._subject = subject
        self._generation = generation(vault)
        self._seals = _Seals(vault, subject)
        self._how = Treatment(seal=self._seals.seal)
        self._known: dict[Question, Cleaned] = {}
        self._asked: set[Question] = set()
        self._leaves: dict[str, tuple[Leaf, ...] | None] = {}
        self._parts: dict[tuple[str, KeyClass], list[tuple[Leaf, KeyClass]]] = {}
        self._pairs: dict[str, Findings] = {}
        self._inherited: dict[Place | None, KeyClass | None] = {None: None}
        self._with_seals: set[Question] = set()
        self._unsealed: list[tuple[Question, Cleaned]] = []
        self.missing: dict[Scan, None] = {}

    @property
    def sealed(self) -> Mapping[str, Sealed]:
        """The originals that the answers stand for, by reference."""
        return self._seals.sealed

    def ask(self, text: str, key_class: KeyClass, depth: int = 0) -> None:
        """Find out what has to be scanned to answer for `text`; it is added to `missing`."""
        question = (text, key_class)
        if question in self._known or question in self._asked:
            return
        self._asked.add(question)
        decided = self._decided(question)
        if isinstance(decided, Cleaned):
            return
        if decided is not key_class:
            if decided is not None:
                self.ask(text, decided, depth)
            return
        if structure.may_be_json(text) and is_plain(text, key_class, self._rules, self._prefilter):
            self._known[question] = Cleaned(text=text)
            self._cache.put(question, self._known[question])
            return
        leaves = self._walked(text, depth)
        if leaves is not None:
            for leaf, leaf_class in self._questions(text, leaves, key_class):
                self.ask(leaf.text, leaf_class, depth + 1)
        elif self._prefilter.may_match(text, key_class.context):
            self.missing[text, key_class.context] = None
        elif not self._paired(text):
            self._known[question] = Cleaned(text=text)
            self._cache.put(question, self._known[question])

    def answer(self, text: str, key_class: KeyClass, verdicts: Mapping[Scan, Verdict], depth: int = 0) -> Cleaned:
        """Return the result for a text that was asked about, given the verdicts on everything in `missing`."""
        question = (text, key_class)
        known = self._known.get(question)
        if known is not None:
            self._seals.count += question in self._with_seals
            return known
        seals = self._seals.count
        decided = self._decided(question)
        if isinstance(decided, Cleaned):
            return decided
        if decided is not key_class and decided is not None:
            result = self.answer(text, decided, verdicts, depth)
        else:
            result = self._through(text, key_class, verdicts, depth)
        self._note(question, result, seals)
        if question not in self._with_seals and not _is_to_be_tried_again(result):
            self._cache.put(question, result)
        return result

    def is_vaulted(self, text: str, key_class: KeyClass) -> bool:
        """Whether the answer for a text stands for originals that have to be kept first."""
        return (text, key_class) in self._with_seals

    def remember(self) -> None:
        """Keep the answers with originals, which are safe in the vault now."""
        for question, result in self._unsealed if self._generation is not None else ():
            self._cache.put(question, result)

    def _decided(self, question: tuple[str, KeyClass]) -> Cleaned | KeyClass | None:
        """Return what is remembered, or what the key alone decides, and note it; else the class to scan under."""
        seals = self._seals.count
        known = self._remembered(question)
        decided = known if known is not None else self._rules.decided(*question, self._how)
        if isinstance(decided, Cleaned):
            self._note(question, decided, seals)
        return decided

    def _note(self, question: tuple[str, KeyClass], result: Cleaned, seals: int) -> None:
        self._known[question] = result
        if self._seals.count > seals:
            self._with_seals.add(question)
            self._unsealed.append(((*question, self._subject, self._generation), result))

    def _remembered(self, question: tuple[str, KeyClass]) -> Cleaned | None:
        known = self._cache.get(question)
        if known is None and self._generation is not None:
            known = self._cache.get((*question, self._subject, self._generation))
            self._seals.count += known is not None
        return known

    def _through(self, text: str, key_class: KeyClass, verdicts: Mapping[Scan, Verdict], depth: int) -> Cleaned:
        leaves = self._walked(text, depth)
        if leaves is None:
            return self._rules.cleaned(text, key_class, self._verdict(text, key_class, verdicts), self._how)
        answers = [
            (leaf, self.answer(leaf.text, leaf_class, verdicts, depth + 1)) for leaf, leaf_class in self._questions(text, leaves, key_class)
        ]
        if self._rules.finds_secrets:
            answers = self._without_spread_keys(answers)
        answers += [(leaf, Cleaned(text=leaf.text, receipts=_BLOB_RECEIPT)) for leaf in leaves if leaf.kind is Kind.BLOB]
        return _put_together(text, [(leaf, each) for leaf, each in answers if each.text != leaf.text or each.receipts])

    def _verdict(self, text: str, key_class: KeyClass, verdicts: Mapping[Scan, Verdict]) -> Verdict:
        """Return what the scanner said, if it was asked, and what the keys say that stand in the text itself."""
        scan = (text, key_class.context)
        said = verdicts.get(scan, ERROR) if scan in self.missing or not self._paired(text) else ()
        return said if isinstance(said, str) else tuple(sorted({*said, *self._paired(text)}))

    def _paired(self, text: str) -> Findings:
        if text not in self._pairs:
            self._pairs[text] = tuple(pairs.find(text, self._rules)) if pairs.may_find(text) else ()
        return self._pairs[text]

    def _questions(self, text: str, leaves: tuple[Leaf, ...], outer: KeyClass) -> list[tuple[Leaf, KeyClass]]:
        """Return the leaves that have to be looked at, each with the class of its key; worked out once for a text."""
        known = self._parts.get((text, outer))
        if known is None:
            known = self._parts[text, outer] = list(self._looked_at(text, leaves, outer))
        return known

    def _looked_at(self, text: str, leaves: tuple[Leaf, ...], outer: KeyClass) -> Iterator[tuple[Leaf, KeyClass]]:
        yield from self._blocked(text, leaves, outer)
        for leaf in leaves:
            if leaf.kind is Kind.CONTAINER:
                continue
            leaf_class = self._class_of(leaf, outer)
            if leaf.kind is Kind.SCALAR:
                if leaf_class.handling is not Handling.SCAN or not self._rules.is_trivial(leaf.text):
                    yield leaf, leaf_class
            elif leaf.kind is not Kind.BLOB:
                yield leaf, leaf_class

    def _blocked(self, text: str, leaves: tuple[Leaf, ...], outer: KeyClass) -> Iterator[tuple[Leaf, KeyClass]]:
        """Yield the objects and arrays that go as a whole; what stands in one goes with it."""
        covered = 0
        for leaf in sorted((leaf for leaf in leaves if leaf.kind is Kind.CONTAINER), key=lambda leaf: leaf.start):
            if leaf.start < covered:
                continue
            leaf_class = self._class_of(leaf, outer)
            if leaf_class.handling is Handling.BLOCK or leaf_class.blocked_otherwise:
                covered = leaf.end
                yield leaf._replace(text=text[leaf.start : leaf.end]), leaf_class

    def _class_of(self, leaf: Leaf, outer: KeyClass) -> KeyClass:
        if leaf.kind is Kind.KEY:
            return self._rules.keys.plain
        if leaf.key is None:
            return outer
        own = self._rules.keys.nested(leaf.declared or leaf.key)
        if own.whole is not None:
            own = self._rules.of_member(leaf.text, own, leaf.place)
        if own.handling is Handling.SCAN and not own.pseudonymise:
            inherited = self._from_outside(leaf.place)
            if inherited is not None:
                return self._rules.of_member(leaf.text, inherited, leaf.place)
        return own

    def _from_outside(self, place: Place | None) -> KeyClass | None:
        """Return the class that an object or array has from its key, or from those around it."""
        way: list[Place] = []
        while place is not None and place not in self._inherited:
            way.append(place)
            place = place.parent
        found = self._inherited[place]
        for inner in reversed(way):
            own = None if inner.key is None else self._rules.inherited(inner.key)
            found = self._inherited[inner] = None if inner.is_schema() else (own or found)
        return found

    def _walked(self, text: str, depth: int) -> tuple[Leaf, ...] | None:
        if depth > NESTING_LIMIT:
            return None
        if text not in self._leaves:
            leaves = structure.walk(text)
            self._leaves[text] = blobs.split(text) if leaves is None else leaves
        return self._leaves[text]

    def _without_spread_keys(self, answers: list[tuple[Leaf, Cleaned]]) -> list[tuple[Leaf, Cleaned]]:
        """Return the answers without the lines of private keys that are spread over strings of their own."""
        if not any("PRIVATE KEY-----" in leaf.text or "PRIVATE KEY BLOCK-----" in leaf.text for leaf, _ in answers):
            return answers
        strings = [index for index, (leaf, _) in enumerate(answers) if leaf.kind is Kind.STRING]
        for line in spread_key_lines([answers[index][0].text for index in strings]):
            leaf, known = answers[strings[line]]
            if leaf.text.strip() and not any(entity == PRIVATE_KEY for entity, _, _ in known.receipts):
                finding = Finding(0, len(leaf.text), PRIVATE_KEY, 1.0, SPREAD_RULE)
                answers[strings[line]] = (leaf, self._rules.actions.applied(leaf.text, (finding,), self._how))
        return answers


def _is_to_be_tried_again(result: Cleaned) -> bool:
    return result.text != TIMED_OUT and any(entity == WITHHELD for entity, _, _ in result.receipts)


def _put_together(text: str, answers: list[tuple[Leaf, Cleaned]]) -> Cleaned:
    """Return the result for `text` from those of its leaves that have a new meaning, or of which there is something to tell."""
    if not answers:
        return Cleaned(text=text)
    outermost: list[tuple[Leaf, Cleaned]] = []
    for leaf, result in sorted(answers, key=lambda each: (each[0].start, -each[0].end)):
        if not outermost or leaf.start >= outermost[-1][0].end:
            outermost.append((leaf, result))
    changed = [(leaf, result.text) for leaf, result in outermost if result.text != leaf.text or leaf.kind is Kind.BLOB]
    paths = Paths({leaf.text: meaning for leaf, meaning in changed if leaf.kind is Kind.KEY})
    return Cleaned(
        text=structure.rewritten(text, changed),
        receipts=total((paths.of(leaf), result.receipts) for leaf, result in outermost),
        findings=tuple(sorted(each for leaf, result in outermost for each in _located(text, leaf, result))),
    )


def _located(text: str, leaf: Leaf, result: Cleaned) -> Findings:
    """Return a leaf's findings as positions in the text around it."""
    if leaf.kind is Kind.CONTAINER or not result.findings:
        return tuple(Finding(leaf.start, leaf.end, entity, 1.0, rule) for entity, rule, _ in result.receipts)
    positions = structure.positions(text, leaf)
    return tuple(Finding(positions[each.start], positions[each.end], each.entity, each.score, each.rule) for each in result.findings)
