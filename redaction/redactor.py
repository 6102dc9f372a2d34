"""Texts in, texts that may be stored out: the policy, the cache and the scanners put together. Fails closed.

`lookup` is the hot path: agents repeat themselves, so almost every text was seen before. What was not is collected by `clean`, each
distinct text once, JSON by its leaves, and goes to the scanner processes; whatever does not come back checked is withheld.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from redaction import structure
from redaction.cache import Cache
from redaction.composition import Composition, Rules, Scan
from redaction.findings import ERROR, Cleaned, Verdict, withheld
from redaction.keys import Handling
from redaction.log import warn
from redaction.numbers import Numbers
from redaction.policy import RedactionConfig, policy_hash
from redaction.prefilter import Prefilter
from redaction.scan import Scanner
from redaction.worker import ScannerPool

Item = tuple[str, str | None]
"""A text and the attribute key it came under; None for names, bodies and messages."""


AT_ONCE_CHARS: Final = 2048
"""Up to this length a text that nothing can match is answered by `lookup` itself, within microseconds."""


IN_LOOP_CHARS: Final = 1 << 16
"""Taking more than this apart (a megabyte of JSON costs 0.2 s) happens beside the event loop, so that other requests go on."""


class Scanners(Protocol):
    """Where the slow path runs (`redaction.worker.ScannerPool`)."""

    def start(self) -> None: ...

    async def scan(self, texts: Sequence[Scan]) -> Mapping[Scan, Verdict]: ...

    async def close(self) -> None: ...

    def state(self) -> str: ...


class Redactor:
    """Applies one policy. `pseudonym_key` keys the pseudonyms of identity keys (see `redaction.pseudonym`).

    `lookup` and `clean_now` may be called from any thread, `clean` from one event loop.
    """

    def __init__(self, config: RedactionConfig, *, pseudonym_key: bytes, scanners: Scanners | None = None) -> None:
        self.policy_hash = policy_hash(config)
        self._config = config
        self._cache = Cache(config.cache_bytes)
        self._prefilter = Prefilter(config)
        self._rules = Rules(config, pseudonym_key, self._prefilter)
        self._keys = self._rules.keys
        self._numbers = Numbers(config)
        self._scanners: Scanners = scanners or ScannerPool(config)
        self._local: Scanner | None = None
        self._local_lock = threading.Lock()

    def lookup(self, text: str, key: str | None) -> Cleaned | None:
        """Return what is known about `text` under the attribute `key`, or None when only `clean` can tell. Never blocks."""
        key_class = self._keys.attributes.get(key)
        if key_class is None:
            key_class = self._keys.attribute(key)
        known = self._cache.get((text, key_class))
        if known is not None:
            return known
        decided = self._rules.decided(text, key_class)
        if isinstance(decided, Cleaned):
            if key_class.handling is Handling.EXEMPT and decided.text is text:  # model, tool and service names come again
                self._cache.put((text, key_class), decided)
            return decided
        if decided is not key_class and (known := self._cache.get((text, decided))) is not None:
            return known
        if len(text) > AT_ONCE_CHARS or structure.may_be_json(text) or self._prefilter.may_match(text, decided.context):
            return None
        known = Cleaned(text=text)
        self._cache.put((text, decided), known)
        return known

    def blocked(self, key: str) -> Cleaned | None:
        """Return the constant that stands for the value of a blocked or not allowed key, whatever its type; None for other keys."""
        return self._rules.constant(self._keys.attribute(key))

    def may_hold(self, number: str, key: str | None) -> bool:
        """Whether a whole number (digits, perhaps a minus) under `key` has to be looked up as text; False is certain."""
        key_class = self._keys.attribute(key)
        return key_class.handling is not Handling.SCAN or self._numbers.may_match(number, key_class.context)

    async def clean(self, items: Sequence[Item]) -> list[Cleaned]:
        """Return the result for every item, in order. Never raises because of a text; what could not be checked is withheld."""
        large = sum(len(text) for text, _ in items) > IN_LOOP_CHARS
        composition = await asyncio.to_thread(self._asked, items) if large else self._asked(items)
        verdicts = await self._scanners.scan(list(composition.missing)) if composition.missing else {}
        if large:
            return await asyncio.to_thread(self._answers, composition, items, verdicts)
        return self._answers(composition, items, verdicts)

    def clean_now(self, items: Sequence[Item]) -> list[Cleaned]:
        """The same, synchronously and in this process (which loads Presidio on first use).

        In the main thread the time budget is enforced like in a scanner process; in another one only between chunks.
        """
        composition = self._asked(items)
        verdicts: dict[Scan, Verdict] = {}
        if composition.missing:
            scanner = self._local_scanner()
            verdicts = {scan: scanner.verdict(*scan) for scan in composition.missing}
        return self._answers(composition, items, verdicts)

    def start(self) -> None:
        """Begin to load the scanner processes; returns at once."""
        self._scanners.start()

    async def close(self) -> None:
        """End the scanner processes; what is still being cleaned is withheld."""
        await self._scanners.close()

    def state(self) -> str:
        """Return "ok", or "down: " and why texts are being withheld."""
        return self._scanners.state()

    def _asked(self, items: Sequence[Item]) -> Composition:
        composition = Composition(self._rules, self._cache, self._prefilter)
        for text, key in items:
            try:
                composition.ask(text, self._keys.attribute(key))
            except Exception as error:  # noqa: BLE001 - fail closed: `answer` meets the same error and withholds
                warn("a text could not be taken apart", error=type(error).__name__)
        return composition

    def _answers(self, composition: Composition, items: Sequence[Item], verdicts: Mapping[Scan, Verdict]) -> list[Cleaned]:
        reasons = Counter(verdict for verdict in verdicts.values() if isinstance(verdict, str))
        if reasons:
            warn("texts were withheld", reasons=dict(reasons))
        return [self._answer(composition, text, key, verdicts) for text, key in items]

    def _answer(self, composition: Composition, text: str, key: str | None, verdicts: Mapping[Scan, Verdict]) -> Cleaned:
        try:
            return composition.answer(text, self._keys.attribute(key), verdicts)
        except Exception as error:  # noqa: BLE001 - the boundary that must not let a text through: fail closed
            warn("a text is withheld", error=type(error).__name__)
            return withheld(ERROR)

    def _local_scanner(self) -> Scanner:
        with self._local_lock:
            if self._local is None:
                from redaction.presidio import Analyzer

                seconds = self._config.presidio.timeout_ms / 1000
                self._local = Scanner(Analyzer(self._config), timeout_seconds=seconds, gate=self._prefilter)
            return self._local
