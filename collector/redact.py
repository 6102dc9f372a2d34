"""Requests are cleaned in place before anything touches a disk: the walk, what it could not answer, and what is said about it."""

import asyncio
from collections.abc import Sequence
from typing import Final, Literal

from collector.cleaning import CleanedText, Cleaner, Item, Redactor, SpreadLines
from collector.cursor import Keys, Slot
from collector.findings import Findings
from collector.signals import Message, Signal
from collector.summary import summarize
from collector.turns import TURNS
from collector.values import Values
from collector.walk import Walk, separate_keys

SAMPLED_EVERY: Final = 64
"""One of so many requests goes to the redactor that counts."""
KNOWN_KEYS: Final = 20_000
"""Attribute keys remembered as clean; more than any sane fleet uses."""


class Walker:
    """Cleans whole requests under one policy. Remembers which attribute keys are clean.

    `id_key` keys what replaces ids that hold text: the same everywhere, so that what belonged together still does. `spread_lines` finds
    private keys that are spread over the items of a list. `captures`: not all content is stored. `summary` says how much the records
    tell about what was done to them. `sampled` is the same redactor, counting: it gets a sample of the requests.
    """

    def __init__(
        self,
        redactor: Redactor,
        *,
        id_key: bytes,
        spread_lines: SpreadLines | None = None,
        captures: bool = False,
        summary: Literal["silent", "info", "debug"] = "silent",
        sampled: Redactor | None = None,
    ) -> None:
        self.redactor = redactor
        self._sampled = sampled
        self._requests = 0
        self._id_key = id_key
        self._spread_lines = spread_lines
        self._captures = captures
        self._summary = summary
        self._keys: Keys = {}

    async def clean(self, signal: Signal, message: Message, tenant: str | None = None) -> Findings:
        """Clean `message` in place and return what was found; lets other tasks run between slices of a long request.

        `tenant` is that of the sender's credentials; None: what the resources say.
        """
        self._requests += 1
        redactor = self.redactor if self._sampled is None or self._requests % SAMPLED_EVERY != 1 else self._sampled
        values = Values(redactor, self._keys, self._id_key, self._spread_lines)
        walk = Walk(redactor, values, captures=self._captures, keep_records=self._summary != "silent", tenant=tenant)
        for _ in walk.steps(signal, message):
            await TURNS.give_way()
        if values.pending:
            cleaned = await _clean_all(values.pending)
            for _ in values.put_in_place(cleaned):
                await TURNS.give_way()
        separate_keys(values.changed.values())
        if self._summary != "silent":
            summarize(walk.records, values.findings, self.redactor.ignored, with_keys=self._summary == "debug")
        if len(self._keys) > KNOWN_KEYS:
            self._keys.clear()
        return values.findings


async def _clean_all(slots: Sequence[Slot]) -> dict[tuple[int, Item], CleanedText]:
    """Have each distinct text of each subject cleaned; returns the results by the identity of their cleaner."""
    cleaners: dict[int, Cleaner] = {}
    items: dict[int, dict[Item, None]] = {}
    for slot in slots:
        cleaners[id(slot.at.cleaner)] = slot.at.cleaner
        items.setdefault(id(slot.at.cleaner), {})[slot.text, slot.key] = None
    answers = await asyncio.gather(*(cleaners[number].clean(list(of_cleaner)) for number, of_cleaner in items.items()))
    return {
        (number, item): cleaned
        for (number, of_cleaner), results in zip(items.items(), answers, strict=True)
        for item, cleaned in zip(of_cleaner, results, strict=True)
    }
