"""The endpoint of budgets: the application of `alerts` behind the doors of the collector, in a thread with an event loop of its own."""

import asyncio
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from alerts.budgets.answers import Answers, Names
    from alerts.budgets.app import Authorize, BudgetApp, Headers
    from alerts.budgets.service import BudgetService
    from alerts.samples import Clean
    from collector.authentication import Doorkeeper
    from collector.config import Config
    from collector.doors import Doors

GRACE_SECONDS: Final = 1.0
STOP_SECONDS: Final = 5.0
SWITCH_SECONDS: Final = 0.0005
"""How long another thread that computes may keep the interpreter while somebody asks; Python's own 5 ms come several times a request."""


@contextmanager
def budget_endpoint(
    config: "Config", endpoint: str, names: "Names", answers: "Callable[[], Answers | None]", *, clock: Callable[[], datetime] | None = None
) -> Iterator[int]:
    """Answer at `endpoint` while the body runs, which is given the port. Raises CollectorError, PortTaken among them."""
    from alerts.budgets.app import BudgetApp
    from alerts.scheduler import utc_now
    from collector.config_budgets import guard
    from collector.doors import Doors
    from collector.web import bind

    wanted = guard(config.otlp)
    doors = Doors(config)
    authorize = _authorize(None if wanted is None else doors.doorkeeper(wanted))
    application = BudgetApp(answers, authorize, names, clock=clock or utc_now)
    server = _Server(application, doors, bind(endpoint, "budgets"), wanted)
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        server.start()
        structlog.get_logger(__name__).info("budgets are answered", endpoint=f"{endpoint.rpartition(':')[0]}:{server.port}")
        yield server.port
    finally:
        server.stop()
        sys.setswitchinterval(usual)


def budget_service(config: "Config", data: Path, files: Sequence[Path], clean: "Clean") -> "BudgetService":
    """Return the budgets of the alert process, with the endpoint of the configuration, if it has one."""
    from alerts.budgets.service import BudgetService
    from alerts.scheduler import utc_now
    from storage.person import STORED

    assert config.alerts is not None  # noqa: S101 - the alert process runs
    endpoint = config.alerts.budget_endpoint

    def stored_name(name: str) -> str:
        return name if STORED.fullmatch(name) else clean([(name, "user.id")])[0]

    def serve(answers: "Callable[[], Answers | None]") -> AbstractContextManager[int]:
        return budget_endpoint(config, endpoint, user_names(config, data), answers)

    return BudgetService(
        data,
        files=files,
        stored_name=stored_name,
        interval_seconds=config.alerts.interval,
        clock=utc_now,
        endpoint=serve if endpoint else None,
    )


def user_names(config: "Config", data: Path) -> "Names":
    """Return what tells the names under which rows can hold a user: as given, and what stands for it under the key of this lake."""
    from redaction.policy import SECRET_ENTITIES
    from redaction.pseudonym import load_or_create_key, pseudonym
    from redaction.statement import ENTITY
    from storage.person import STORED

    entities = sorted({*config.redaction.known_entities(), ENTITY} - SECRET_ENTITIES)
    key = load_or_create_key(data / "keys" / "pseudonym.key")

    def names(subject: str) -> Sequence[str]:
        if STORED.fullmatch(subject):
            return (subject,)
        return (subject, *(pseudonym(key, entity, subject) for entity in entities))

    return names


class _Server:
    """One web server and the thread of its event loop."""

    def __init__(self, application: "BudgetApp", doors: "Doors", bound: socket.socket, guard: str | None) -> None:
        self._application = application
        self._doors = doors
        self._socket = bound
        self._guard = guard
        self._ready, self._failure = threading.Event(), list[BaseException]()
        self._thread = threading.Thread(target=self._run, name="budget-endpoint", daemon=True)
        self._stop: Callable[[], object] = lambda: None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Return when requests are taken; raises what kept it from that."""
        self._thread.start()
        self._ready.wait()
        if self._failure:
            raise self._failure[0]

    def stop(self) -> None:
        """Take no more requests; those under way are answered."""
        self._stop()
        self._thread.join(STOP_SECONDS)
        self._socket.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - raised by `start`, or logged
            self._failure.append(error)
            if self._ready.is_set():
                structlog.get_logger(__name__).error("the endpoint of budgets ended", error=type(error).__name__)
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        from collector.web import WebServer

        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        certificates = self._doors.certificates(self._guard) if self._guard is not None else None
        tls = None if certificates is None else lambda: certificates.context
        server = WebServer(self._application, self._socket, grace_seconds=GRACE_SECONDS, tls=tls)
        watching = asyncio.create_task(self._doors.watch())
        await server.start()

        def ask_to_stop() -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(stop.set)

        self._stop = ask_to_stop
        self._ready.set()
        await stop.wait()
        watching.cancel()
        await server.stop()


def _authorize(doorkeeper: "Doorkeeper | None") -> "Authorize":
    """Return what tells the application who asks: whom the collector knows, with the tenant that he has there."""
    from alerts.budgets.app import Caller, Problem
    from collector.authentication import authorization_of
    from collector.errors import Overloaded, Unauthenticated

    async def authorize(headers: "Headers") -> Caller:
        if doorkeeper is None:
            return Caller()
        try:
            sender = await doorkeeper.sender(authorization_of(headers))
        except Unauthenticated as refused:
            raise Problem(401, str(refused), headers={"www-authenticate": refused.challenge}) from None
        except Overloaded as refused:
            raise Problem(429, str(refused), headers={"retry-after": "1"}) from None
        return Caller(tenant=sender.tenant)

    return authorize
