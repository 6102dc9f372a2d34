"""A witness over HTTP (c2sp.org/tlog-witness): `add-checkpoint`, and the newest cosigned checkpoint of each log for whoever compares."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import structlog

from collector.web import WebServer, bind
from storage.errors import StorageError
from storage.ledger.witness import MAX_REQUEST_BYTES, TEXT, Answer, Witness

BODY_SECONDS: Final = 10.0
GRACE_SECONDS: Final = 3.0
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class WitnessApp:
    """The ASGI application of one witness."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer `POST /add-checkpoint` and `GET /<SHA-256 of the origin, hex>/checkpoint`."""
        if scope["type"] != "http":
            return
        answer = await self._answer(scope["method"], scope["path"], receive)
        headers = [(b"content-type", answer.content_type.encode()), (b"content-length", str(len(answer.body.encode())).encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
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


async def serve_witness(witness: Witness, endpoint: str, *, reload: Callable[[], None], on_ready: Callable[[int], None]) -> None:
    """Be a witness until SIGTERM or SIGINT; SIGHUP calls `reload`. Needs the main thread (signals).

    `on_ready` is called once, with the port, when requests are taken. Raises `PortTaken`.
    """
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload)
    server = WebServer(WitnessApp(witness), bind(endpoint, "the witness"), grace_seconds=GRACE_SECONDS)
    await server.start()
    on_ready(server.port)
    await stop.wait()
    await server.stop()
