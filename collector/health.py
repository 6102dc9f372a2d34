"""The health answer: JSON with a state per component, 503 when one is down, and `/ready` beside it for load balancers."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Final

import orjson

OK: Final = "ok"
DOWN: Final = "down"
MIN_FREE_BYTES: Final = 64 << 20
Check = Callable[[], str]
"""Returns "ok", "down: why", or a remark that takes nobody out of service; must not block for long, and is called in a thread."""


def disk(data: Path) -> str:
    """Say whether there is room to go on writing for a while."""
    try:
        free = shutil.disk_usage(data).free
    except OSError as error:
        return f"down: the data directory cannot be read ({error.strerror})"
    return OK if free >= MIN_FREE_BYTES else f"down: {free >> 20} MiB are free: free space or lower the retention"


class HealthApp:
    """The ASGI application. `checks` are the components; `ready` says whether requests are taken."""

    def __init__(self, checks: Mapping[str, Check], *, ready: Callable[[], bool], path: str = "/") -> None:
        self._checks = checks
        self._ready = ready
        self._path = path

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        _receive: Callable[[], Awaitable[Any]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer GET and HEAD of the health path and of /ready."""
        if scope["type"] != "http":
            return
        if scope["path"] == "/ready":
            ready = self._ready()
            await _respond(send, 200 if ready else 503, {"status": "ready" if ready else "not ready"})
        elif scope["path"] == self._path:
            states = {name: await asyncio.to_thread(check) for name, check in self._checks.items()}
            healthy = not any(state.startswith(DOWN) for state in states.values())
            body = {"status": OK if healthy else DOWN, "components": {name: {"state": state} for name, state in states.items()}}
            await _respond(send, 200 if healthy else 503, body)
        else:
            await _respond(send, 404, {"status": "unknown path"})


async def _respond(send: Callable[[MutableMapping[str, Any]], Awaitable[None]], status: int, value: Any) -> None:
    body = orjson.dumps(value)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
