"""Who sends a request, as the receiver that took it found out."""

from dataclasses import dataclass
from typing import Final

Account = tuple[str, bool]
"""A name, and whether it is that of a tenant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """The name under which a sender is known, never its token; `tenant` overrules what its records claim, None leaves that to them."""

    name: str
    tenant: str | None = None

    @property
    def account(self) -> Account:
        """Who shares limits with whom: all senders of a tenant; a sender without one is alone."""
        return (self.name, False) if self.tenant is None else (self.tenant, True)


ANONYMOUS: Final = Sender(name="anonymous")
"""Where nobody has to authenticate."""
