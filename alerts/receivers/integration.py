"""What every integration has: its name in the outbox, the receiver it belongs to, and whether it tells what resolved."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alerts.outbox import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Base of the integrations; `of` is the configured receiver where that is not the name itself."""

    name: str
    of: str | None = None
    send_resolved: bool = True
    acknowledges: bool = False
    most_at_once: int = 1

    @property
    def receiver(self) -> str:
        """Name of the configured receiver."""
        return self.of or self.name


def payloads(messages: Sequence[Message]) -> list[tuple[Message, dict[str, Any]]]:
    """Return each message with what it says (`alerts.payload`)."""
    return [(message, json.loads(message.body)) for message in messages]
