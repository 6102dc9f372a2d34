"""Texts, attributes and values of a message, cleaned in place: what the walk does at every field.

Most texts repeat, so the hot path is one lookup a text. What the redactor does not know yet is collected in `pending`, cleaned in one
go, and put in place afterwards.
"""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from collector.anyvalue import as_text
from collector.cleaning import CleanedText, Cleaner, Item, Mode, SpreadLines
from collector.cursor import At, Inside, Keys, Slot, Special
from collector.findings import Findings, Place
from collector.leaves import blob, plain_text, texts_below, utf8
from collector.signals import Message
from redaction import labels
from redaction.secrets import PRIVATE_KEY

SLICE_ITEMS: Final = 64
SLICE_SECONDS: Final = 0.001
_ITEMS_AT_ONCE: Final = 8
"""Of more attributes, events, links or data points of one record, so much time between two chances for other requests."""

SCANNED_DIGITS: Final = 7
"""Numbers from this many digits on may be scanned as text: social security, phone and card numbers are sent as numbers, too."""

REMEMBERED_KEY_CHARS: Final = 1024
"""Longer attribute keys are looked at every time: what is remembered for ever must not be what a sender makes it."""

TRUNCATED: Final = "truncated"
_SCANNED_FROM: Final = 10 ** (SCANNED_DIGITS - 1)
_SPREAD_KEY: Final = f"<{PRIVATE_KEY}>"
_SPREAD_RECEIPT: Final = {(PRIVATE_KEY, "SecretRecognizer/line of a PEM private key", ""): 1}


_ITEM: Final = "[]"
_NOWHERE: Final = Inside()
_UNSEEN: Final = Special(None)
_UNKNOWN: Final = Special(None)
_LOOKED_UP: Final = Special(None)
_NOTHING: Final = "0"
"""A value in which nothing can be found: when something becomes of it, the key decided that."""


class Values:
    """Cleans fields and values. `at` says what they belong to; who walks a message sets it."""

    def __init__(self, policy: Cleaner, keys: Keys, id_key: bytes, spread_lines: SpreadLines | None) -> None:
        self.at = At(range(0), policy, None)
        self.pending: list[Slot] = []
        self.long: deque[Iterator[None]] = deque()  # what is too long to be walked at once, slice by slice
        self.findings = Findings()
        self._policy = policy
        self._keys = keys
        self._id_key = id_key
        self._spread_lines = spread_lines
        self.changed: dict[int, Any] = {}  # attribute lists with cleaned keys, by identity

    def put_in_place(self, cleaned: Mapping[tuple[int, Item], CleanedText]) -> Iterator[None]:
        """Put the cleaned forms of all pending texts (by the identity of their cleaner) in place; yields after every slice."""
        for number, slot in enumerate(self.pending, 1):
            self._apply(cleaned[id(slot.at.cleaner), (slot.text, slot.key)], slot)
            if number % SLICE_ITEMS == 0:
                yield

    def attributes(self, pairs: Any, base: Place, inside: Inside = _NOWHERE, part: Any = None) -> None:
        """Clean a list of KeyValue, or a part of it: the hot loop; strings whose key and text are known cost one lookup."""
        if part is None and len(pairs) > SLICE_ITEMS:
            self.long.append(self._slices(pairs, partial(self.attributes, pairs, base, inside)))
            return
        mode, outer, told = inside
        at, keys = self.at, self._keys
        lookup, capture = at.cleaner.lookup, at.capture
        for pair in pairs if part is None else part:
            key = pair.key
            special = keys.get(key, _UNSEEN)
            if special is _UNSEEN:
                special = self._key(pair, key, pairs, base)
            if pair.key_strindex:
                pair.key_strindex = 0
            value = pair.value
            if (outer is not None or key in told) and (special is None or special is _UNKNOWN):
                key = outer or told[key]
                special = self._special(key) or _LOOKED_UP
            if capture is not None and (special is None or special.blocked is None):
                how = mode or capture.mode(key)
                if how is not None:
                    self.captured(value, key, Place(base, "", pair.key), how)
                    continue
            text = value.string_value
            if not text:
                if special is not None or not 0 < value.int_value < _SCANNED_FROM:  # nearly all that is no text is a small number
                    self._no_text(value, key, special, Place(base, "", pair.key))
                continue
            cleaned = lookup(text, key)
            if cleaned is None:
                self.pending.append(Slot(text, key, at, Place(base, "", pair.key), partial(setattr, value, "string_value"), None))
            elif cleaned.receipts or cleaned.text != text:
                self.findings.add(at.records, Place(base, "", pair.key), cleaned.receipts)
                value.string_value = cleaned.text

    def field(self, holder: Message, name: str, place: Place) -> None:
        """Clean a string field."""
        text = getattr(holder, name)
        if not text:
            return
        cleaned = self.at.cleaner.lookup(text, None)
        if cleaned is None or cleaned.receipts or cleaned.text != text:
            self.text(text, None, place, partial(setattr, holder, name))

    def text(self, text: str, key: str | None, place: Place, put: Callable[[str], None], mode: Mode | None = None) -> None:
        """Clean a text; `put` gets its cleaned form, now or later, when that is another one."""
        slot = Slot(text, key, self.at, place, put, mode)
        cleaned = self.at.cleaner.lookup(text, key)
        if cleaned is None:
            self.pending.append(slot)
        else:
            self._apply(cleaned, slot)

    def identifiers(self, holder: Message, names: Sequence[tuple[str, Place]]) -> None:
        """Look into ids that are text: nearly all are random bytes and cost one check."""
        for name, place in names:
            data = getattr(holder, name)
            if data and data.isascii():
                self._identifier(holder, name, place, data)

    def _identifier(self, holder: Message, name: str, place: Place, data: bytes) -> None:
        text = data.strip(b"\0").decode("ascii")
        if text.isprintable() and text:
            size_bytes = min(len(data), hashlib.blake2b.MAX_DIGEST_SIZE)
            replacement = partial(hashlib.blake2b, data, digest_size=size_bytes, key=self._id_key)
            self.text(text, None, place, lambda _: setattr(holder, name, replacement().digest()))

    def value(self, value: Message, key: str | None, place: Place, mode: Mode | None = None) -> None:
        """Clean an AnyValue of any type; leaves of arrays and lists are cleaned with the nearest key."""
        kind = value.WhichOneof("value")
        if self._spread_lines is not None and kind in {"array_value", "kvlist_value"}:
            self._blank_spread_lines(value, place)
        self._leaves(value, key, place, mode)

    def captured(self, value: Message, key: str | None, place: Place, mode: Mode) -> None:
        """Store a value that is content the way that its capture `mode` says."""
        kind = value.WhichOneof("value")
        if mode == TRUNCATED or kind is None or not self.at.capture:
            self.value(value, key, place, mode)
            return
        text = value.string_value or plain_text(value)
        if text:
            result = self.at.capture.applied(mode, text, None)
            self.findings.add(self.at.records, place, result.receipts)
            value.string_value = result.text

    def each(self, items: Any, walk: Callable[[Any], None]) -> None:
        """Walk all of `items`: now, or later in slices when there are many."""
        if len(items) > SLICE_ITEMS:
            self.long.append(self._slices(items, partial(_all, walk)))
        else:
            _all(walk, items)

    def _slices(self, items: Any, walk: Callable[[Any], object]) -> Iterator[None]:
        at = self.at

        def steps() -> Iterator[None]:
            due = time.perf_counter() + SLICE_SECONDS
            for start in range(0, len(items), _ITEMS_AT_ONCE):
                self.at = at
                walk(items[start : start + _ITEMS_AT_ONCE])
                if time.perf_counter() > due:
                    yield
                    due = time.perf_counter() + SLICE_SECONDS
            yield

        return steps()

    def _key(self, pair: Message, key: str, pairs: Any, base: Place) -> Special | None:
        """Clean an attribute key that is not known to be clean; returns what is special about it."""
        special = self._special(key)
        cleaned = self.at.cleaner.lookup(key, None)
        if cleaned is not None and cleaned.text == key and not cleaned.receipts:
            if special is not _UNKNOWN and len(key) <= REMEMBERED_KEY_CHARS:
                self._keys[key] = special
            return special

        def rename(text: str) -> None:
            pair.key = text
            self.changed[id(pairs)] = pairs
            self.findings.cleaned_keys[key] = text

        self.text(key, None, Place(base, "", key), rename)
        return special

    def _special(self, key: str | None) -> Special | None:
        """Return whether the key decides about its values, whatever they hold; while that is not known yet, each is looked up."""
        if key is None:
            return None
        known = self._keys.get(key, _UNSEEN)
        if known is not _UNSEEN:
            return known
        blocked = self._policy.blocked(key)
        if blocked is not None or self._policy.inherits(key):
            return Special(blocked)
        probe = self._policy.lookup(_NOTHING, key)
        if probe is None:
            return _UNKNOWN
        return None if probe.text == _NOTHING and not probe.receipts else Special(None)

    def _no_text(self, value: Message, key: str, special: Special | None, place: Place) -> None:
        if special is None or special.blocked is None:
            self.value(value, key, place)
        else:
            self._block(value, special.blocked, place)

    def _block(self, value: Message, blocked: CleanedText, place: Place) -> None:
        """Replace a value under a blocked key, whatever its type; an absent value stays absent."""
        if value.WhichOneof("value") is not None:
            value.string_value = blocked.text
            self.findings.add(self.at.records, place, blocked.receipts)

    def _leaves(self, value: Message, key: str | None, place: Place, mode: Mode | None) -> None:
        kind = value.WhichOneof("value")
        if kind is None:
            return
        if kind == "string_value":
            self.text(value.string_value, key, place, partial(setattr, value, "string_value"), mode)
        elif kind == "kvlist_value":
            outer = key if self.at.cleaner.inherits(key) else None
            members = value.kvlist_value.values
            inside = Inside(mode, outer, labels.told((pair.key, pair.value.string_value) for pair in members))
            self.attributes(members, Place(place, "."), inside)
        elif kind == "array_value":
            self._items(value.array_value.values, key, place, mode)
        elif kind == "bytes_value":
            self._bytes(value, key, place, mode)
        elif kind == "string_value_strindex":  # points into a table of strings that only profiles have
            value.ClearField(kind)
        else:
            self._scalar(value, kind, key, place)

    def _items(self, items: Any, key: str | None, place: Place, mode: Mode | None) -> None:
        """Clean the items of an array: with its key, or with what the item before says (`["--password", …]`)."""
        item_place = Place(place, _ITEM)
        special = self._special(key)
        if special is not None and special is not _UNKNOWN:
            self.each(items, lambda item: self._leaves(item, key, item_place, mode))
            return
        in_array = place.name == _ITEM
        before: list[str] = []  # the last two, as they were sent

        def clean(item: Message) -> None:
            text = item.string_value
            told = labels.said_before(before, text, in_array=in_array)
            before[:] = [*before[-1:], text]
            self._leaves(item, told or key, item_place, mode)

        self.each(items, clean)

    def _scalar(self, value: Message, kind: str, key: str | None, place: Place) -> None:
        number = getattr(value, kind)
        if self._special(key) is not None:
            text = as_text(number)
        elif kind != "bool_value" and _SCANNED_FROM <= abs(number) < 1e300:
            text = str(int(number))  # a fraction is no part of what people call a number
        else:
            return
        if not self.at.cleaner.may_hold(text, key):
            return
        self.text(text, key, place, partial(setattr, value, "string_value"))

    def _bytes(self, value: Message, key: str | None, place: Place, mode: Mode | None) -> None:
        data = value.bytes_value
        text = utf8(data)
        if text is None:  # not text, or text in another encoding: nobody could look into it
            value.string_value = blob(data)
            if self._special(key) is not None:
                self.text(value.string_value, key, place, partial(setattr, value, "string_value"))
        elif text:
            self.text(text, key, place, lambda cleaned: setattr(value, "bytes_value", cleaned.encode()), mode)

    def _blank_spread_lines(self, value: Message, place: Place) -> None:
        """Take out the lines of a private key that is spread over the items of a list."""
        # whether any text of a list of a million items has the mark: asked of its bytes, which takes no time
        if self._spread_lines is None or b"PRIVATE KEY" not in value.SerializeToString():
            return
        leaves = list(texts_below(value))
        for index in self._spread_lines([text for _, text in leaves]):
            leaf, text = leaves[index]
            if text.strip():
                leaf.string_value = _SPREAD_KEY
                self.findings.add(self.at.records, place, _SPREAD_RECEIPT)

    def _apply(self, cleaned: CleanedText, slot: Slot) -> None:
        if slot.mode is not None and slot.at.capture is not None:
            cleaned = slot.at.capture.applied(slot.mode, slot.text, cleaned)
        if cleaned.receipts:
            self.findings.add(slot.at.records, slot.place, cleaned.receipts)
        if cleaned.text != slot.text:
            slot.put(cleaned.text)


def _all(walk: Callable[[Any], None], items: Any) -> None:
    for item in items:
        walk(item)
