"""Who is told of alerts, as one thing that is put in the place of another while the process runs.

    recipients of a configuration → couriers of its receivers, and a dispatcher; or Alertmanagers, which do without both

What stays as it was goes on: its courier keeps its thread, its pauses and the message that it carries. The couriers of others end before
those that follow begin, so that no message is carried by two.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from alerts.delivery import Courier, give_up_for_others, never
from alerts.dispatch import Dispatcher, Notifier
from alerts.errors import AlertsError
from alerts.events import LAKE
from alerts.receivers.alertmanager import Alertmanagers, Peer
from alerts.receivers.http import read_certificates_again
from alerts.receivers.receiver import Integration, Receiver
from alerts.routing import Routing, everything
from alerts.state import AlertStore
from alerts.transitions import OWN_RECEIVERS, LakeReceiver, LogReceiver
from storage.journal import Journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipients:
    """What a configuration says of who is told. Without a `routing` every receiver is told of everything; with `alertmanagers` routing is
    theirs, and only they are told."""

    receivers: tuple[Integration, ...] = ()
    alertmanagers: tuple[Peer, ...] = ()
    routing: Routing | None = None
    external_url: str

    def check_names(self) -> None:
        """Raise AlertsError when messages could not be told apart by the name of their receiver."""
        names = [*OWN_RECEIVERS, *(receiver.name for receiver in self.receivers)]
        for name in sorted({name for name in names if names.count(name) > 1}):
            own = " and ".join(OWN_RECEIVERS)
            raise AlertsError("start the receivers", name, hint=f"two have this name ({own} are auditlake's own): rename one")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reread:
    """A configuration that was read again: its recipients and files. `taken` is called once all of it is in force."""

    recipients: Recipients
    rules: Sequence[Path]
    slos: Sequence[Path]
    taken: Callable[[], None]


class Telling:
    """The couriers and the notifier of the recipients that are in force."""

    def __init__(self, store: AlertStore, journal: Journal, *, interval: timedelta, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._own: tuple[Receiver, ...] = (LakeReceiver(journal=journal), LogReceiver())
        self._interval = interval
        self._clock = clock
        self._recipients: Recipients | None = None
        self._couriers: list[Courier] = []
        self._alertmanagers: Alertmanagers | None = None
        self._notifier: Notifier | None = None

    def use(self, recipients: Recipients) -> Notifier:
        """Tell these from now on, and return what decides when; certificates are read again in any case. Names must be checked."""
        read_certificates_again()
        if self._notifier is None or recipients != self._recipients:
            self._replace_couriers([*recipients.receivers, *self._own])
            self._notifier = self._notifier_of(recipients)
            self._recipients = recipients
        return self._notifier

    def wake(self) -> None:
        """Say that there may be something new to deliver."""
        for courier in self._couriers:
            courier.wake()

    def close(self) -> None:
        """Stop; what is left stays in the outbox."""
        _end(self._couriers)
        self._end_alertmanagers()

    def _replace_couriers(self, receivers: Sequence[Receiver]) -> None:
        kept = {courier.receiver.name: courier for courier in self._couriers if courier.receiver in receivers}
        _end([courier for courier in self._couriers if courier.receiver.name not in kept])
        try:
            give_up_for_others(self._store, [receiver.name for receiver in receivers], now=self._clock())
        except SQLAlchemyError as error:  # a full or busy disk: they wait until the next start
            structlog.get_logger(__name__).warning("messages to receivers that are gone are kept", error=type(error).__name__)
        new = [self._courier(receiver) for receiver in receivers if receiver.name not in kept]
        for courier in new:
            courier.start()
        self._couriers = [*kept.values(), *new]

    def _courier(self, receiver: Receiver) -> Courier:
        return Courier(self._store, receiver, clock=self._clock, waits=self._store.being_erased if receiver.name == LAKE else never)

    def _notifier_of(self, recipients: Recipients) -> Notifier:
        self._end_alertmanagers()
        url = recipients.external_url
        if recipients.alertmanagers:
            self._alertmanagers = Alertmanagers(recipients.alertmanagers, interval=self._interval, external_url=url, clock=self._clock)
            self._alertmanagers.start()
            return self._alertmanagers
        routing = recipients.routing or everyone(recipients.receivers)
        return Dispatcher(self._store, routing, recipients.receivers, external_url=url, looks_again=self._recipients is not None)

    def _end_alertmanagers(self) -> None:
        if self._alertmanagers is not None:
            self._alertmanagers.close()
            self._alertmanagers = None


def everyone(receivers: Sequence[Integration]) -> Routing:
    """Return the routing of a configuration that has none: every receiver is told of everything."""
    return Routing(route=everything(sorted({receiver.receiver for receiver in receivers})))


def _end(couriers: Sequence[Courier]) -> None:
    for courier in couriers:
        courier.request_stop()
    for courier in couriers:
        courier.close()
