"""What delivery needs of a receiver, and what the dispatcher needs of one that the configuration names."""

from collections.abc import Sequence
from typing import Protocol

from alerts.outbox import Message


class Receiver(Protocol):
    """Takes messages of the outbox."""

    @property
    def name(self) -> str:
        """Name in the outbox; stays the same across restarts."""

    @property
    def send_resolved(self) -> bool:
        """Whether it also wants to know that an alert resolved."""

    @property
    def most_at_once(self) -> int:
        """How many messages one `send` takes."""

    def send(self, messages: Sequence[Message]) -> None:
        """Hand messages over; returns only when the receiver has all of them, else raises DeliveryFailed."""


class Integration(Receiver, Protocol):
    """One way of a configured receiver: routes name the receiver, and each of its integrations gets the notification."""

    @property
    def receiver(self) -> str:
        """Name of the configured receiver, which stands in routes and in the message."""

    @property
    def acknowledges(self) -> bool:
        """Whether it is told that somebody takes care of a group (a message with the status `acknowledged`)."""
