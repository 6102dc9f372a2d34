"""Which web pages may send from a browser: Cross-Origin Resource Sharing around the HTTP receiver (Fetch, section 3.2).

A browser asks first (a preflight, without credentials, hence before authentication), and lets a page read an answer only when that names
the page's origin. Nothing is said to other origins: the browser then refuses by itself. It protects people's browsers, not the collector.
"""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from collector.config_admission import CorsConfig

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_ALWAYS_ALLOWED: Final = ("accept", "content-type", "x-requested-with")
_METHODS: Final = b"POST"
_ANYWHERE: Final = "*"
_PREFLIGHT: Final = (b"access-control-request-method", b"access-control-request-headers")
_VARY_PREFLIGHT: Final = b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


class Cors:
    """The ASGI application inside, with answers to browsers."""

    def __init__(self, inside: Application, section: CorsConfig) -> None:
        self._inside = inside
        self._everywhere = _ANYWHERE in section.allowed_origins
        self._origins = [_pattern(origin) for origin in section.allowed_origins]
        self._headers = {*_ALWAYS_ALLOWED, *(header.lower() for header in section.allowed_headers)}
        self._exposed = ", ".join(section.exposed_headers).encode("latin-1")
        self._max_age = section.max_age

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight, or let the application inside answer and say who may read that."""
        if scope["type"] != "http":
            await self._inside(scope, receive, send)
            return
        asked = {name: value for name, value in scope["headers"] if name in {b"origin", *_PREFLIGHT}}
        origin = asked.get(b"origin")
        allowed = origin is not None and self._allows(origin.decode("latin-1"))
        if scope["method"] == "OPTIONS" and origin is not None and _PREFLIGHT[0] in asked:
            headers = self._preflight(origin, asked) if allowed else []
            await send({"type": "http.response.start", "status": 204, "headers": [*headers, (b"vary", _VARY_PREFLIGHT)]})
            await send({"type": "http.response.body", "body": b""})
            return

        async def telling(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._answer(origin if allowed else None)]
            await send(message)

        await self._inside(scope, receive, telling)

    def _allows(self, origin: str) -> bool:
        return self._everywhere or any(pattern.fullmatch(origin.lower()) for pattern in self._origins)

    def _preflight(self, origin: bytes, asked: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
        """Say what the page may send; nothing when it asks for more than that."""
        wanted = [name.strip().lower() for name in asked.get(_PREFLIGHT[1], b"").decode("latin-1").split(",") if name.strip()]
        method_fits = asked[_PREFLIGHT[0]] == _METHODS
        if not method_fits or not (_ANYWHERE in self._headers or self._headers.issuperset(wanted)):
            return []
        headers = [*self._who(origin), (b"access-control-allow-methods", _METHODS)]
        if wanted:
            headers.append((b"access-control-allow-headers", ", ".join(wanted).encode("latin-1")))
        if self._max_age:
            headers.append((b"access-control-max-age", b"%d" % self._max_age))
        return headers

    def _answer(self, origin: bytes | None) -> list[tuple[bytes, bytes]]:
        if origin is None:
            return [] if self._everywhere else [(b"vary", b"Origin")]
        exposed = [(b"access-control-expose-headers", self._exposed)] if self._exposed else []
        return [*self._who(origin), *exposed, *([] if self._everywhere else [(b"vary", b"Origin")])]

    def _who(self, origin: bytes) -> list[tuple[bytes, bytes]]:
        """Say who may: anybody, then without the browser's own credentials; or the one who asks, then with them (sendBeacon has them)."""
        if self._everywhere:
            return [(b"access-control-allow-origin", b"*")]
        return [(b"access-control-allow-origin", origin), (b"access-control-allow-credentials", b"true")]


def _pattern(origin: str) -> re.Pattern[str]:
    """Return what an allowed origin matches: * stands for characters of a host or port, never for what ends a host."""
    return re.compile("[^/@?#]*".join(re.escape(part) for part in origin.split("*")))
