"""Who sends a request, as the receiver that took it found out."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """The name under which a sender is known, never its token; `tenant` overrules what its records claim, None leaves that to them."""

    name: str
    tenant: str | None = None


ANONYMOUS: Final = Sender(name="anonymous")
"""Where nobody has to authenticate."""
