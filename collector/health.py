"""The health answer: JSON with a state per component, 503 when one is down; `/ready` for load balancers, `/live` for who restarts what does
not get better by itself, and `/metrics` for Prometheus.
"""

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from collector.prometheus import OPEN_METRICS, content_type, exposition

OK: Final = "ok"
DOWN: Final = "down"
MIN_FREE_BYTES: Final = 64 << 20
NOT_RESTARTED_FOR: Final = frozenset({"catalog", "disk", "sealer"})
"""Components that are behind the acknowledgement, or need a person: a restart would only keep requests out that are taken meanwhile."""
Check = Callable[[], str]
"""Returns "ok", "down: why", or a remark that takes nobody out of service; must not block for long, and is called in a thread."""

Snapshots = Callable[[], Awaitable[Sequence[Mapping[str, Any]]]]
"""Returns what `collector.telemetry.Telemetry.snapshot` returns in each process of the collector."""
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
METRICS_PATH: Final = "/metrics"


def disk(data: Path) -> str:
    """Say whether there is room to go on writing for a while."""
    try:
        free = shutil.disk_usage(data).free
    except OSError as error:
        return f"down: the data directory cannot be read ({error.strerror})"
    return OK if free >= MIN_FREE_BYTES else f"down: {free >> 20} MiB are free: free space or lower the retention"


class HealthApp:
    """The ASGI application. `checks` are the components; `ready` says whether requests are taken."""

    def __init__(
        self,
        checks: Mapping[str, Check],
        *,
        ready: Callable[[], bool],
        path: str = "/",
        snapshots: Snapshots | None = None,
        details: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        """`snapshots` is for /metrics, which is unknown without it; `details` go into the health answer beside the components."""
        self._snapshots = snapshots
        self._details = details
        self._checks = checks
        self._ready = ready
        self._path = path

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        _receive: Callable[[], Awaitable[Any]],
        send: Send,
    ) -> None:
        """Answer GET and HEAD of the health path, of /ready, /live and /metrics."""
        if scope["type"] != "http":
            return
        if scope["method"] not in {"GET", "HEAD"}:
            await _respond(send, 405, {"status": "only GET and HEAD are allowed"})
            return
        if scope["path"] == "/ready":
            ready = self._ready()
            await _respond(send, 200 if ready else 503, {"status": "ready" if ready else "not ready", "pid": os.getpid()})
        elif scope["path"] == "/live":
            live = _none_down(await self._states(without=NOT_RESTARTED_FOR))
            await _respond(send, 200 if live else 503, {"status": "live" if live else "restart"})
        elif scope["path"] == self._path:
            states = await self._states()
            healthy = _none_down(states)
            components = {name: {"state": state} for name, state in states.items()}
            body = {"status": OK if healthy else DOWN, "components": components, **self._details()}
            await _respond(send, 200 if healthy else 503, body)
        elif scope["path"] == METRICS_PATH and self._snapshots is not None:
            accept = b",".join(value for name, value in scope["headers"] if name == b"accept").decode("latin-1")
            form = content_type(accept)
            text = exposition(await self._snapshots(), open_metrics=form == OPEN_METRICS)
            await _send(send, 200, form.encode(), text)
        else:
            await _respond(send, 404, {"status": "unknown path"})

    async def _states(self, *, without: frozenset[str] = frozenset()) -> dict[str, str]:
        return {name: await asyncio.to_thread(check) for name, check in list(self._checks.items()) if name not in without}


def _none_down(states: Mapping[str, str]) -> bool:
    return not any(state.startswith(DOWN) for state in states.values())


async def _respond(send: Send, status: int, value: Any) -> None:
    await _send(send, status, b"application/json", orjson.dumps(value))


async def _send(send: Send, status: int, media_type: bytes, body: bytes) -> None:
    headers = [(b"content-type", media_type), (b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
