"""How long rows are kept."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRule:
    """How long rows are kept: of a table (None: of all), of a tenant (None: of all, and of none)."""

    table: str | None = None
    tenant: str | None = None
    keep_seconds: float

    def __str__(self) -> str:
        """Return it in words, for the log."""
        whose = "" if self.tenant is None else f" of {self.tenant}"
        return f"{self.table or 'all tables'}{whose} after {timedelta(seconds=self.keep_seconds)}"

    def cutoff_ns(self, now_ns: int) -> int:
        """Return the time before which rows expired."""
        return now_ns - int(self.keep_seconds * 1e9)
