"""What was given to the scanners and is not answered yet: texts, their parts, and the calls that wait for them. Locked by the pool."""

from concurrent.futures import Future, InvalidStateError

from redaction.composition import Scan
from redaction.findings import TIMEOUT, Findings, Verdict
from redaction.scan import CHUNK_CHARS, Gate, allowance_seconds, joined, parts

Work = tuple[str, tuple[str, ...], bool]
"""What a scanner is asked at a time: (part of) a text, its context words, and whether it is a whole long text."""


class Call:
    """What one caller waits for."""

    def __init__(self, count: int) -> None:
        self.future: Future[dict[Scan, Verdict]] = Future()
        self._missing = count
        self._verdicts: dict[Scan, Verdict] = {}

    @property
    def waits(self) -> bool:
        """Whether anybody still wants the verdicts."""
        return not self.future.done()

    def deliver(self, scan: Scan, verdict: Verdict) -> None:
        self._verdicts[scan] = verdict
        self._missing -= 1
        if not self._missing:
            try:
                self.future.set_result(self._verdicts)
            except InvalidStateError:
                return  # the caller was cancelled and waits no more


class Text:
    """A text on its way through the scanners: its parts, what is known of them, and who waits for it."""

    def __init__(self, scan: Scan, timeout_seconds: float, gate: Gate | None = None) -> None:
        """With a `gate`, parts of which it says that nothing can be found in them are not asked about; perhaps none is left."""
        self.scan = scan
        self.calls: list[Call] = []
        self.offsets: dict[Work, list[int]] = {}
        for part in parts(*scan, gate):
            self.offsets.setdefault((part.text, scan[1], part.whole), []).append(part.offset)
        self.long = len(scan[0]) > CHUNK_CHARS
        self._found: dict[Work, Findings] = {}
        self._seconds_left = allowance_seconds(scan[0], timeout_seconds) if self.long else float("inf")

    @property
    def waits(self) -> bool:
        """Whether anybody still wants a verdict."""
        return any(call.waits for call in self.calls)

    def answer(self, work: Work, verdict: Verdict, seconds: float) -> Verdict | None:
        """Take the verdict on a part; returns the one on the text as soon as it is certain."""
        self._seconds_left -= seconds
        if isinstance(verdict, str):
            return verdict
        self._found[work] = verdict
        if len(self._found) == len(self.offsets):
            return joined((offset, found) for part, found in self._found.items() for offset in self.offsets[part])
        return TIMEOUT if self._seconds_left < 0 else None
