"""The policy as functions of a text and the class of its key; pure, but for the originals that go to the vault."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from redaction.actions import Actions, Treatment, kept
from redaction.errors import VaultError
from redaction.expressions import Expression
from redaction.findings import BLOCKED_KEY, KEY_NOT_ALLOWED, TOO_LARGE, Cleaned, Finding, Findings, Verdict, merged, withheld
from redaction.keys import ACTION_RULE, NAMED_RULE, UNSPECIFIC, Handling, KeyClass, KeyRules, Whole, looks_like_identifier
from redaction.people import TYPE_WORDS, is_name, may_be_person
from redaction.policy import OPTIONAL_ENTITIES, RedactionConfig
from redaction.prefilter import Prefilter
from redaction.secret_keys import is_secret
from redaction.sensitive_keys import Test
from redaction.structure import Place

SHORT_SCALAR_CHARS: Final = 6
"""Numbers this short, true, false and null name nobody, unless their key says so."""

REMOVED: Final = Cleaned(text=f"<{KEY_NOT_ALLOWED}>", receipts={(KEY_NOT_ALLOWED, "policy/allowed_keys", ""): 1})

_NOT_IN_IDENTIFIERS: Final = frozenset({*OPTIONAL_ENTITIES, "BLOCKED_VALUE"})
"""What an id that the pipeline needs may be: a UUID, a host, a time."""

NAMED_SCORE: Final = 0.5
"""Recognizers that know a secret by its shape are surer than its key is."""

ALLOWED_RULE: Final = "policy/allowed_values"
BLOCK: Final = Whole(entity=BLOCKED_KEY, rule="policy/blocked_key_patterns")

_DIGITS: Final[Mapping[str, int]] = {"PHONE_NUMBER": 5, "PASSPORT": 5, "CARD_SECURITY_CODE": 3, "MEDICAL_RECORD": 3, "CARD_EXPIRY": 1}
_DIGITS_ELSE: Final = 4
"""What a number under a sensitive key has at least: `cell: B12` is no phone."""

_MACHINE: Final = re.compile(
    r"[a-z][a-z0-9+.\-]{1,20}://\S*|/\S*|0x[0-9a-fA-F]+|localhost(?::\d+)?|\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?|\S+@\S+"
    r"|(?=[^A-Za-z]*[A-Za-z])[\w\-]+(?:\.[\w\-]+)+(?::\d+)?"
    r"|\[?[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}\]?(?::\d+)?"
)
"""Addresses of machines and mailboxes."""

_PATH: Final = re.compile(r"[/\\_{}<>=#|]")
_IDENTIFIER: Final = re.compile(r"(?=[^\d]*\d)(?=.*[A-Za-z])[A-Za-z0-9]+(?:[-_.:/][A-Za-z0-9]+)*")
PLACEHOLDER: Final = re.compile(
    r"<(?P<entity>[A-Z][A-Z0-9_]{0,63})(?::(?:[0-9a-f]{16}|v1:[0-9a-f]{24}))?>|<(?P<blocked>BLOCKED_(?:KEY|VALUE)):[0-9a-f]{32,128}>"
)
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_WORD_END: Final = re.compile(r"[\w.\-]{1,200}+\Z")
_WORD_START: Final = re.compile(r"[\w.\-]{1,200}+")
_MONTH: Final = re.compile(r"(?i)\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)")


class Rules:
    """One policy. Calls that are given a `Treatment` may hand originals to its `seal`."""

    def __init__(self, config: RedactionConfig, pseudonym_key: bytes, prefilter: Prefilter) -> None:
        self.keys = KeyRules(config)
        self.actions = Actions(config, pseudonym_key)
        self.finds_secrets = config.secrets.enabled
        self._prefilter = prefilter
        self._allowed_values = tuple(Expression(pattern) for pattern in config.allowed_values)
        self._blocks_values = bool(config.blocked_values)
        self.scans_numbers = config.redact_all_types
        self._max_text_bytes = config.presidio.max_text_bytes
        self._entities = config.known_entities()
        self._machine = frozenset(config.sensitive_keys.machine_siblings)
        self._person = self.persons = frozenset(config.sensitive_keys.person_siblings)
        self._blocked: Cleaned | None = None
        if self.actions.is_constant(BLOCKED_KEY):
            self._blocked = replace(self._whole("", BLOCK, Treatment(seal=_no_vault)), findings=())

    def constant(self, key_class: KeyClass) -> Cleaned | None:
        """Return what stands for every value of a key whatever its type, if the policy leaves none of it."""
        match key_class.handling:
            case Handling.REMOVE:
                return REMOVED
            case Handling.BLOCK:
                return self._blocked
            case Handling.WHOLE if key_class.whole is not None and key_class.whole.action in {"replace", "drop"}:
                return self._whole("", key_class.whole, Treatment(seal=_no_vault))
        return None

    def decided(self, text: str, key_class: KeyClass, how: Treatment | None) -> Cleaned | KeyClass | None:  # noqa: PLR0911 - a table
        """Return the result when the key alone decides it, else the class under which the text has to be scanned.

        None when an original would have to go to the vault and `how` is not given.
        """
        match key_class.handling:
            case Handling.SCAN:
                return self._unless_too_large(text, key_class)
            case Handling.KEEP:
                return Cleaned(text=text)
            case Handling.REMOVE:
                return REMOVED
            case Handling.WHOLE:
                return self._decided_whole(text, key_class, how)
            case Handling.EXEMPT if looks_like_identifier(text):
                return self.keys.identifier if self._prefilter.may_match_identifier(text) else Cleaned(text=text)
        blocked = key_class.handling is Handling.BLOCK or key_class.blocked_otherwise
        if not blocked or self._is_own(text) or self._allows(text):
            return self.keys.plain
        return self._blocked or self._treated(text, BLOCK, how)

    def _decided_whole(self, text: str, key_class: KeyClass, how: Treatment | None) -> Cleaned | KeyClass | None:
        whole, otherwise = key_class.whole, key_class.otherwise
        if whole is None or otherwise is None:
            return self.keys.plain
        if not text or self._is_own(text) or not self._looks_like(text, whole) or self._allows(text):
            return self._unless_too_large(text, otherwise)
        if whole.rule == NAMED_RULE and self._prefilter.may_match(text, otherwise.context):
            return self._unless_too_large(text, self.keys.secret(otherwise))
        return self._treated(text, whole, how, identity=key_class.pseudonymise)

    def _unless_too_large(self, text: str, key_class: KeyClass) -> Cleaned | KeyClass:
        if not text:
            return Cleaned(text=text)
        return withheld(TOO_LARGE) if self._too_large(text) else key_class

    def cleaned(self, text: str, key_class: KeyClass, verdict: Verdict, how: Treatment) -> Cleaned:
        """Return the result for a text whose findings, or the reason to withhold it, are known."""
        if isinstance(verdict, str):
            return withheld(verdict)
        if key_class.secret:
            verdict = (*verdict, Finding(0, len(text), UNSPECIFIC, NAMED_SCORE, NAMED_RULE))
        if key_class.identifier:
            verdict = tuple(each for each in verdict if each.entity not in _NOT_IN_IDENTIFIERS)
        if key_class.pseudonymise and _UUID.fullmatch(text):
            return Cleaned(text=text)
        if verdict and "<" in text:
            verdict = self._without_own(text, verdict)
        if key_class.pseudonymise or key_class.keep:
            how = replace(how, identity=key_class.pseudonymise, keep=key_class.keep)
        if not self._allowed_values or not verdict:
            return self.actions.applied(text, verdict, how)
        # a whole text excuses one finding: `.+@example.org` must not let pass all that stands before an address
        whole = len(merged(verdict)) == 1 and self._allows(text)
        allowed = verdict if whole else tuple(each for each in verdict if self._allows_part(text, each.start, each.end))
        result = self.actions.applied(text, tuple(each for each in verdict if each not in allowed), how)
        return replace(result, receipts={**result.receipts, **kept(allowed, ALLOWED_RULE)}) if allowed else result

    def of_member(self, text: str, key_class: KeyClass, place: Place | None) -> KeyClass:
        """Return the class of a member of an object, where the value and the other keys decide whether its key counts."""
        whole = key_class.whole
        if whole is None or key_class.otherwise is None or whole.rule == ACTION_RULE:
            return key_class
        if place is not None and place.is_schema():
            return key_class.otherwise
        if whole.test is not Test.PERSON:
            return key_class
        beside = place.keys if place is not None and place.bracket == "{" else None
        if may_be_person(text, beside, machine=self._machine, person=self._person, known=self._is_person(place)):
            return self.keys.sure(key_class)
        return key_class.otherwise

    def in_text(self, value: str, key_class: KeyClass, beside: Iterable[str]) -> bool:
        """Whether a value counts that stands behind a key in text, with these keys around it."""
        whole = key_class.whole
        if whole is None or whole.entity == "EMAIL_ADDRESS" or whole.rule == NAMED_RULE or self._allows(value):
            return False  # recognizers know what these look like in text
        if whole.test is Test.PERSON:
            return may_be_person(value, beside, machine=self._machine, person=self._person)
        return self._looks_like(value, whole)

    @staticmethod
    def is_name(value: str) -> bool:
        """Whether a value behind a key of a person is a name."""
        return is_name(value)

    def inherited(self, key: str) -> KeyClass | None:
        """Return the class that a key gives to all that stands in its object or array, or None."""
        key_class = self.keys.nested(key)
        whole = key_class.whole
        if whole is None:
            return None
        if whole.rule == NAMED_RULE:
            return None
        if whole.rule == ACTION_RULE or whole.entity not in {"PERSON", "EMAIL_ADDRESS"} or key.lower().endswith(("name", "names")):
            return key_class
        return None

    def is_trivial(self, number: str) -> bool:
        """Whether a JSON scalar is not looked into: too short to name anybody, or no string where only strings are."""
        return not self.scans_numbers or (len(number) <= SHORT_SCALAR_CHARS and not self._blocks_values)

    def _is_person(self, place: Place | None) -> bool:
        """Whether an object stands under a key of a person: `customer`, `contact`."""
        if place is None or place.key is None:
            return False
        whole = self.keys.nested(place.key).whole
        return whole is not None and whole.entity == "PERSON" and whole.test in {Test.PERSON, Test.ANY}

    def _treated(self, text: str, whole: Whole, how: Treatment | None, *, identity: bool = False) -> Cleaned | None:
        if how is None:
            if self.actions.vaults(whole.entity, whole.action):
                return None
            how = Treatment(seal=_no_vault)
        if whole.test is Test.ACCOUNT and _IDENTIFIER.fullmatch(text):
            identity = True
        return self._whole(text, whole, replace(how, identity=identity) if identity else how)

    def _whole(self, text: str, whole: Whole, how: Treatment) -> Cleaned:
        return self.actions.whole(text, Finding(0, len(text), whole.entity, 1.0, whole.rule), whole.action, how)

    def _looks_like(self, text: str, whole: Whole) -> bool:
        """Whether a value is what its key says it is."""
        if whole.rule == ACTION_RULE:
            return True
        if whole.test is Test.PERSON:
            return may_be_person(text, None, machine=self._machine, person=self._person)
        stripped = text.strip()
        return stripped.lower() not in TYPE_WORDS and _TESTS[whole.test](stripped, whole.entity)

    def _allows(self, text: str) -> bool:
        return any(pattern.matches(text) for pattern in self._allowed_values)

    def _without_own(self, text: str, findings: Findings) -> Findings:
        """Return the findings that do not lie in what we wrote ourselves in place of another: a text may pass twice."""
        own = [each.span() for each in PLACEHOLDER.finditer(text) if (each["blocked"] or each["entity"]) in self._entities]
        starts = [start for start, _ in own]
        before = (bisect_right(starts, each.start) - 1 for each in findings)
        return tuple(each for each, index in zip(findings, before, strict=True) if index < 0 or each.end > own[index][1])

    def _is_own(self, text: str) -> bool:
        match = PLACEHOLDER.fullmatch(text) if text[:1] == "<" else None
        return match is not None and (match["blocked"] or match["entity"]) in self._entities

    def _allows_part(self, text: str, start: int, end: int) -> bool:
        """Whether a finding, or the word that it stands in, is allowed as a whole."""
        if self._allows(text[start:end]):
            return True
        before, after = _WORD_END.search(text, 0, start), _WORD_START.match(text, end)
        first, last = before.start() if before else start, after.end() if after else end
        return (first, last) != (start, end) and self._allows(text[first:last].rstrip("."))

    def _too_large(self, text: str) -> bool:
        if len(text) * 4 <= self._max_text_bytes:
            return False
        return len(text) > self._max_text_bytes or len(text.encode("utf-8", "surrogatepass")) > self._max_text_bytes


def _digits(text: Iterable[str]) -> int:
    return sum(char.isdigit() for char in text)


_TESTS: Final[Mapping[Test, Callable[[str, str], bool]]] = {
    Test.ANY: lambda text, _: bool(text),
    Test.NUMBER: lambda text, entity: _digits(text) >= _DIGITS.get(entity, _DIGITS_ELSE),
    Test.ACCOUNT: lambda text, _: _digits(text) >= _DIGITS_ELSE,
    Test.PLACE: lambda text, _: _MACHINE.fullmatch(text) is None and any(char.isalnum() for char in text),
    Test.DATE: lambda text, _: _digits(text) > 0 or _MONTH.search(text) is not None,
    Test.NO_PATH: lambda text, _: _PATH.search(text) is None,
    Test.LITERAL: lambda text, _: is_secret(text, Test.LITERAL),
    Test.MIXED: lambda text, _: is_secret(text, Test.MIXED),
    Test.RANDOM: lambda text, _: is_secret(text, Test.RANDOM),
}


def _no_vault(_entity: str, _text: str) -> str:
    raise VaultError("keep an original", hint="only a composition can", failure="unavailable")
