"""Texts in, texts that may be stored out: the policy, the cache and the scanners put together. Fails closed.

`lookup` is the hot path: agents repeat themselves, so almost every text was seen before. What was not is collected by `clean`, each
distinct text once, JSON by its leaves, and goes to the scanner processes; whatever does not come back checked is withheld.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from redaction import blobs, pairs, structure
from redaction.cache import Cache
from redaction.composition import Composition, Originals, Scan, generation
from redaction.content import Capture, Captures
from redaction.errors import VaultError
from redaction.findings import ERROR, UNSCANNED, VAULT, Cleaned, Verdict, withheld
from redaction.keys import Handling, KeyClass
from redaction.known_gates import recalled
from redaction.log import warn
from redaction.offline import forbid_downloads
from redaction.policy import RedactionConfig, policy_hash
from redaction.prefilter import Prefilter
from redaction.rules import Rules
from redaction.scan import Scanner
from redaction.scanner import WARM_UP
from redaction.survey import is_plain
from redaction.worker import ScannerPool

Item = tuple[str, str | None]
"""A text and the attribute key it came under; None for names, bodies and messages."""


AT_ONCE_CHARS: Final = 1 << 16
"""Up to this length a text that nothing can match is answered by `lookup` itself, in most cases within a millisecond."""


IN_LOOP_CHARS: Final = 1 << 16
"""Taking more than this apart (a megabyte of JSON costs 0.2 s) happens beside the event loop, so that other requests go on."""


class Scanners(Protocol):
    """Where the slow path runs (`redaction.worker.ScannerPool`)."""

    def start(self) -> None: ...

    async def scan(self, texts: Sequence[Scan]) -> Mapping[Scan, Verdict]: ...

    async def close(self) -> None: ...

    def state(self) -> str: ...

    @property
    def waiting(self) -> int: ...


class Redactor:
    """Applies one policy. `pseudonym_key` keys the pseudonyms of identity keys (see `redaction.pseudonym`).

    `lookup` and `clean_now` may be called from any thread, `clean` from one event loop. A policy that puts originals into the vault
    needs one; without it such texts are withheld. `for_subject` then says whose data the texts are.
    """

    def __init__(
        self,
        config: RedactionConfig,
        *,
        pseudonym_key: bytes,
        scanners: Scanners | None = None,
        vault: Originals | None = None,
        cache_folder: Path | None = None,
    ) -> None:
        self.policy_hash = policy_hash(config)
        self.subject_keys: tuple[str, ...] = config.vault.subject_keys if config.vaulting else ()
        """Attributes that say whose data a record holds; empty when nothing depends on it."""
        self._config = config
        self._cache_folder = cache_folder
        self._cache = Cache(config.cache_bytes)
        self._prefilter = Prefilter()
        self._rules = Rules(config, pseudonym_key, self._prefilter)
        self._keys = self._rules.keys
        self._captures = Captures(config.content, pseudonym_key)
        self._vault = vault
        self._vaulting = config.vaulting
        self._scanners: Scanners = scanners or ScannerPool(
            config, cache_folder=cache_folder, ready=self._prefilter.load, gate=self._prefilter
        )
        self.unknown_texts = 0
        """Texts that `lookup` did not find under a key of their class."""
        self._local: Scanner | None = None
        self._local_lock = threading.Lock()

    def lookup(self, text: str, key: str | None, *, subject: str | None = None) -> Cleaned | None:
        """Return what is known about `text` under the attribute `key`, or None when only `clean` can tell. Never blocks."""
        key_class = self._keys.attributes.get(key)
        if key_class is None:
            key_class = self._keys.attribute(key)
        known = self._cache.get((text, key_class))
        return known if known is not None else self._new(text, key_class, subject)

    def _new(self, text: str, key_class: KeyClass, subject: str | None) -> Cleaned | None:
        """Answer for a text that was not seen under a key of this class, if that takes no more than microseconds."""
        self.unknown_texts += 1
        if self._vaulting and (known := self._cache.get((text, key_class, subject, generation(self._vault)))) is not None:
            return known
        decided = self._rules.decided(text, key_class, None)
        if isinstance(decided, Cleaned):
            # model, tool and service names come again, and so do people
            if key_class.handling is Handling.WHOLE or (key_class.handling is Handling.EXEMPT and decided.text is text):
                self._cache.put((text, key_class), decided)
            return decided
        if decided is None:
            return None
        known = None if decided is key_class else self._cache.get((text, decided))
        if known is None and self._is_harmless(text, decided):
            known = Cleaned(text=text)
            self._cache.put((text, decided), known)
        return known

    def _is_harmless(self, text: str, key_class: KeyClass) -> bool:
        """Whether a text is short and nothing in it can be found."""
        if len(text) > AT_ONCE_CHARS:
            return False
        if structure.may_be_json(text):
            return is_plain(text, key_class, self._rules, self._prefilter)
        if blobs.may_hold(text):
            return False
        if self._prefilter.may_match(text, key_class.context):
            return False
        return not pairs.may_find(text) or next(pairs.find(text, self._rules), None) is None

    def blocked(self, key: str) -> Cleaned | None:
        """Return the constant that stands for the value of a key whatever its type: of a blocked or not allowed one; None for others."""
        return self._rules.constant(self._keys.attribute(key))

    def ignored(self, key: str) -> bool:
        """Whether the policy lets the value of an attribute pass whatever it is."""
        return self._keys.attribute(key).handling is Handling.KEEP

    def may_hold(self, number: str, key: str | None) -> bool:
        """Whether a whole number (digits, perhaps a minus) under `key` has to be looked up as text; False is certain."""
        key_class = self._keys.attribute(key)
        if key_class.handling is not Handling.SCAN:
            return True
        return self._rules.scans_numbers and self._prefilter.may_match(number, key_class.context)

    def inherits(self, key: str | None) -> bool:
        """Whether what stands in a list or map under `key` is treated as if it stood under `key` itself; short numbers, too."""
        return key is not None and (self._keys.attribute(key).handling is Handling.KEEP or self._rules.inherited(key) is not None)

    def for_subject(self, subject: str | None) -> "Redactor | OfSubject":
        """Return a cleaner of texts that are the data of `subject`; this one when nothing depends on it."""
        return OfSubject(self, subject) if self._vaulting and subject is not None else self

    def capture(self, tenant: str | None, environment: str | None) -> Capture | None:
        """Return how much content is stored for a tenant in an environment; None for all of it."""
        return self._captures.of(tenant, environment)

    async def clean(self, items: Sequence[Item], *, subject: str | None = None) -> list[Cleaned]:
        """Return the result for every item, in order. Never raises because of a text; what could not be checked is withheld."""
        large = sum(len(text) for text, _ in items) > IN_LOOP_CHARS
        composition = await asyncio.to_thread(self._asked, items, subject) if large else self._asked(items, subject)
        verdicts = await self._scanners.scan(list(composition.missing)) if composition.missing else {}
        if large or self._vaulting:  # the vault is a file
            return await asyncio.to_thread(self._answers, composition, items, verdicts)
        return self._answers(composition, items, verdicts)

    def clean_now(self, items: Sequence[Item], *, subject: str | None = None) -> list[Cleaned]:
        """The same, synchronously and in this process, which loads Presidio for the first text that the prefilter does not clear.

        In the main thread the time budget is enforced like in a scanner process; in another one only between chunks.
        """
        self._recall()
        composition = self._asked(items, subject)
        verdicts: dict[Scan, Verdict] = {}
        if composition.missing:
            scanner = self._local_scanner()
            verdicts = {scan: scanner.verdict(*scan) for scan in composition.missing}
        return self._answers(composition, items, verdicts)

    def clean_unscanned(self, items: Sequence[Item]) -> list[Cleaned]:
        """The same without a scanner, in milliseconds: a text (or leaf of JSON) that the prefilter does not clear is withheld.

        Where no earlier process left the prefilter of this policy, it is `clean_now`, which loads Presidio and leaves one.
        """
        if not self._recall() and self._cache_folder is not None:
            return self.clean_now(items)
        composition = self._asked(items, None)
        return self._answers(composition, items, dict.fromkeys(composition.missing, UNSCANNED))

    def start(self) -> None:
        """Begin to load the scanner processes; returns at once."""
        self._scanners.start()

    async def close(self) -> None:
        """End the scanner processes; what is still being cleaned is withheld."""
        await self._scanners.close()

    def state(self) -> str:
        """Return "ok", or "down: " and why texts are being withheld."""
        return self._scanners.state()

    @property
    def waiting(self) -> int:
        """How many parts of texts wait for a scanner."""
        return self._scanners.waiting

    def _asked(self, items: Sequence[Item], subject: str | None) -> Composition:
        composition = Composition(self._rules, self._cache, self._prefilter, vault=self._vault, subject=subject)
        for text, key in items:
            try:
                composition.ask(text, self._keys.attribute(key))
            except Exception as error:  # noqa: BLE001 - fail closed: `answer` meets the same error and withholds
                warn("a text could not be taken apart", error=type(error).__name__)
        return composition

    def _answers(self, composition: Composition, items: Sequence[Item], verdicts: Mapping[Scan, Verdict]) -> list[Cleaned]:
        reasons = Counter(verdict for verdict in verdicts.values() if isinstance(verdict, str) and verdict != UNSCANNED)
        if reasons:
            warn("texts were withheld", reasons=dict(reasons))
        answers = [self._answer(composition, text, key, verdicts) for text, key in items]
        if not composition.sealed or self._is_sealed(composition):
            return answers
        vaulted = (composition.is_vaulted(text, self._keys.attribute(key)) for text, key in items)
        return [withheld(VAULT) if is_vaulted else answer for answer, is_vaulted in zip(answers, vaulted, strict=True)]

    def _answer(self, composition: Composition, text: str, key: str | None, verdicts: Mapping[Scan, Verdict]) -> Cleaned:
        try:
            return composition.answer(text, self._keys.attribute(key), verdicts)
        except VaultError as error:
            warn("a text is withheld: the vault does not answer", failure=error.failure)
            return withheld(VAULT)
        except Exception as error:  # noqa: BLE001 - the boundary that must not let a text through: fail closed
            warn("a text is withheld", error=type(error).__name__)
            return withheld(ERROR)

    def _is_sealed(self, composition: Composition) -> bool:
        """Put the originals of a call into the vault, durably; False when that failed."""
        try:
            if self._vault is not None:
                self._vault.seal(list(composition.sealed.values()))
        except Exception as error:  # noqa: BLE001 - the boundary to the vault's file: what is not kept is withheld
            warn("texts are withheld: their originals could not be kept", error=type(error).__name__)
            return False
        composition.remember()
        return True

    def _recall(self) -> bool:
        """Take the prefilter that an earlier process left, unless there is one; whether there is one now."""
        if self._prefilter.is_fast or self._cache_folder is None:
            return self._prefilter.is_fast
        known = recalled(self._config, self._cache_folder)
        try:
            if known is not None:
                self._prefilter.load(known)
        except ValueError as error:
            warn("the compiled prefilter is made anew", error=type(error).__name__)
        return self._prefilter.is_fast

    def _local_scanner(self) -> Scanner:
        with self._local_lock:
            if self._local is None:
                forbid_downloads()
                from redaction.presidio.analyzer import Analyzer

                seconds = self._config.presidio.timeout_ms / 1000
                analyzer = Analyzer(self._config, cache_folder=self._cache_folder)
                analyzer.find(WARM_UP, ())  # what is loaded at first use counts against no text
                self._prefilter.load(analyzer.gate.blob)
                self._local = Scanner(analyzer, timeout_seconds=seconds, decodes=self._config.secrets.encoded, gate=self._prefilter)
            return self._local


class OfSubject:
    """A redactor for the texts of one data subject: what goes to the vault goes under that subject's key."""

    def __init__(self, redactor: Redactor, subject: str) -> None:
        self._redactor = redactor
        self._subject = subject
        self.blocked = redactor.blocked
        self.may_hold = redactor.may_hold
        self.inherits = redactor.inherits

    def lookup(self, text: str, key: str | None) -> Cleaned | None:
        """See `Redactor.lookup`."""
        return self._redactor.lookup(text, key, subject=self._subject)

    async def clean(self, items: Sequence[Item]) -> list[Cleaned]:
        """See `Redactor.clean`."""
        return await self._redactor.clean(items, subject=self._subject)

    def clean_now(self, items: Sequence[Item]) -> list[Cleaned]:
        """See `Redactor.clean_now`."""
        return self._redactor.clean_now(items, subject=self._subject)
