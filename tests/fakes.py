"""Small stand-ins that tests share: real behaviour in memory, no mocks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from storage.errors import StorageError
from storage.wal import RecordType, Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeCleaned:
    """One cleaned text."""

    text: str
    receipts: Mapping[tuple[str, str, str], int] = field(default_factory=dict)


class FakeCleaner:
    """A policy that takes `canary` out of every text, and knows a text only after it was cleaned once."""

    policy_hash = "fake-policy"
    subject_keys: Sequence[str] = ()
    ignored_keys: Sequence[str] = ("ignored",)
    closed = False

    def __init__(self, canary: str = "canary", blocked_keys: Sequence[str] = ("password",)) -> None:
        self.canary = canary
        self.blocked_keys = blocked_keys
        self.known: dict[tuple[str, str | None], FakeCleaned] = {}
        self.asked: list[tuple[str, str | None]] = []

    def lookup(self, text: str, key: str | None) -> FakeCleaned | None:
        if text == "0":
            return FakeCleaned(text=text)
        return self.blocked(key) if key in self.blocked_keys else self.known.get((text, key))

    def blocked(self, key: str | None) -> FakeCleaned | None:
        return FakeCleaned(text="<BLOCKED>", receipts={("BLOCKED_KEY", "blocked", ""): 1}) if key in self.blocked_keys else None

    def ignored(self, key: str) -> bool:
        return key in self.ignored_keys

    def may_hold(self, number: str, key: str | None) -> bool:
        return len(number) >= len(self.canary)

    def inherits(self, key: str | None) -> bool:
        return False

    def replace(self, text: str) -> str:
        return text.replace(self.canary, "<CANARY>")

    async def clean(self, items: Sequence[tuple[str, str | None]]) -> list[FakeCleaned]:
        self.asked += items
        for text, key in items:
            found = text.count(self.canary)
            self.known[text, key] = FakeCleaned(text=self.replace(text), receipts={("CANARY", "fake", ""): found} if found else {})
        return [self.known[item] for item in items]

    def for_subject(self, subject: str | None) -> "FakeCleaner":
        return self

    def capture(self, tenant: str | None, environment: str | None) -> None:
        return None


class FakeWriter:
    """A WAL in memory; `fails` makes every append fail like a full disk."""

    def __init__(self) -> None:
        self.appends: list[list[tuple[RecordType, bytes, bytes]]] = []
        self.rotations = 0
        self.fails = False
        self.closed = False

    @property
    def entry(self) -> int:
        return self.rotations

    @property
    def size_bytes(self) -> int:
        return sum(len(payload) for records in self.appends for _, _, payload in records)

    def append(self, records: Sequence[tuple[RecordType, bytes, bytes]]) -> None:
        if self.fails:
            raise StorageError("append to the WAL", "memory", hint="the disk is full: free space")
        self.appends.append(list(records))

    def rotate(self) -> Segment | None:
        self.rotations += 1
        return None

    def close(self) -> None:
        self.closed = True

    @property
    def records(self) -> list[tuple[RecordType, bytes, bytes]]:
        return [record for append in self.appends for record in append]
