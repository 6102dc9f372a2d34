"""A witness over HTTP (c2sp.org/tlog-witness): `add-checkpoint`, and the newest cosigned checkpoint of each log for whoever compares."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import structlog

from collector.authentication import Doorkeeper, authorization_of
from collector.errors import Unauthenticated
from collector.tasks import background
from collector.web import WebServer, bind
from collector.witness_doors import WitnessDoors, WitnessEndpoint
from storage.errors import StorageError
from storage.ledger.witness import MAX_REQUEST_BYTES, TEXT, Answer, Witness

BODY_SECONDS: Final = 10.0
GRACE_SECONDS: Final = 3.0
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class WitnessApp:
    """The ASGI application of one witness. `doorkeeper` None: nobody has to authenticate."""

    def __init__(self, witness: Witness, doorkeeper: Doorkeeper | None = None) -> None:
        self._witness = witness
        self._doorkeeper = doorkeeper

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer `POST /add-checkpoint` and `GET /<SHA-256 of the origin, hex>/checkpoint`."""
        if scope["type"] != "http":
            return
        more: list[tuple[bytes, bytes]] = []
        try:
            if self._doorkeeper is not None:
                await self._doorkeeper.sender(authorization_of(scope["headers"]))
            answer = await self._answer(scope["method"], scope["path"], receive)
        except Unauthenticated as refused:
            answer, more = Answer(status=401, body=f"{refused}\n"), [(b"www-authenticate", refused.challenge.encode())]
        headers = [(b"content-type", answer.content_type.encode()), (b"content-length", str(len(answer.body.encode())).encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": [*headers, *more]})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body.encode()})

    async def _answer(self, method: str, path: str, receive: Receive) -> Answer:
        try:
            if path == "/add-checkpoint":
                return await self._add(receive) if method == "POST" else Answer(status=405, body="only POST\n")
            name, _, rest = path.removeprefix("/").partition("/")
            if rest != "checkpoint" or method not in {"GET", "HEAD"}:
                return Answer(status=404, body="not found\n")
            found = await asyncio.to_thread(self._witness.checkpoint, name)
            return Answer(status=404, body="not found\n") if found is None else Answer(status=200, body=found, content_type=TEXT)
        except StorageError as error:
            structlog.get_logger(__name__).error("the witness cannot work", subject=error.subject, hint=error.hint)
            return Answer(status=500, body="the witness cannot read or write its state\n")

    async def _add(self, receive: Receive) -> Answer:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _body(receive)
        except TimeoutError:
            return Answer(status=408, body="the body did not arrive in time\n")
        if body is None:
            return Answer(status=413, body=f"a request has at most {MAX_REQUEST_BYTES} bytes\n")
        answer = await asyncio.to_thread(self._witness.add_checkpoint, body)
        log = structlog.get_logger(__name__)
        if answer.contradicts is not None:
            log.error("a log signed something else than what was cosigned: its checkpoint is kept in conflicts/", origin=answer.contradicts)
        if answer.unproven is not None:
            log.warning("a log's checkpoint came with a proof that does not hold: it is kept in unproven/", origin=answer.unproven)
        return answer


async def _body(receive: Receive) -> bytes | None:
    """Return the body of a request; None when it is too long."""
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if len(body) > MAX_REQUEST_BYTES:
            return None
        if not message.get("more_body"):
            return body


def web_server(witness: Witness, section: WitnessEndpoint, doors: WitnessDoors) -> WebServer:
    """Return the server of a witness, bound and not started. Raises `PortTaken`."""
    bound = bind(section.endpoint, "the witness")
    return WebServer(WitnessApp(witness, doors.doorkeeper), bound, grace_seconds=GRACE_SECONDS, tls=doors.tls)


async def serve_witness(witness: Witness, section: WitnessEndpoint, *, reload: Callable[[], None], on_ready: Callable[[int], None]) -> None:
    """Be a witness until SIGTERM or SIGINT; SIGHUP calls `reload` and has the files looked at. Needs the main thread (signals).

    `on_ready` is called once, with the port, when requests are taken. Raises `CollectorError`.
    """
    stop, loop, doors = asyncio.Event(), asyncio.get_running_loop(), WitnessDoors(section)
    looking: set[asyncio.Task[None]] = set()

    def again() -> None:
        reload()
        looking.add(task := background("files of the witness", doors.look()))
        task.add_done_callback(looking.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, again)
    server = web_server(witness, section, doors)
    await server.start()
    watching = background("doors of the witness", doors.watch())
    on_ready(server.port)
    await stop.wait()
    watching.cancel()
    await server.stop()
