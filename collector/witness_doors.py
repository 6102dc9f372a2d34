"""Who may ask a witness, and over what: its endpoint, its certificates, its tokens; the files are watched as those of the receivers."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from collector.authentication import Doorkeeper
from collector.config_admission import BearerTokenAuthConfig, TlsConfig
from collector.config_fields import is_loopback
from collector.doors import WatchedCertificates, WatchedDoor
from collector.errors import CollectorError


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessEndpoint:
    """Where a witness listens, and for whom."""

    endpoint: str  # host:port
    tls: TlsConfig | None = None  # None: plain HTTP
    token_file: Path | None = None  # as extensions.bearertokenauth.filename; None: nobody needs a token
    insecure_allow_anonymous: bool = False  # other machines may ask without proving who they are


class WitnessDoors:
    """The doorkeeper and the certificates of a witness, as their files change.

    Raises CollectorError when a file cannot be used, or other machines would reach the witness without having to prove who they are.
    """

    def __init__(self, section: WitnessEndpoint) -> None:
        is_proven = section.token_file is not None or (section.tls is not None and section.tls.client_ca_file is not None)
        is_public = not is_loopback(section.endpoint)
        if is_public and not is_proven and not section.insecure_allow_anonymous:
            hint = "listen on 127.0.0.1, give --token-file or --client-ca-file, or say --insecure-allow-anonymous"
            raise CollectorError("let other machines ask without authentication", section.endpoint, hint=hint)
        tokens = None if section.token_file is None else BearerTokenAuthConfig(filename=section.token_file)
        self._door = None if tokens is None else WatchedDoor("witness", tokens, where="--token-file")
        self._certificates = None if section.tls is None else WatchedCertificates("tls of the witness", section.tls)
        for warning in self._warnings(is_public):
            structlog.get_logger(__name__).warning(warning, endpoint=section.endpoint)

    @property
    def doorkeeper(self) -> Doorkeeper | None:
        """Who tells who asks; None: nobody has to authenticate."""
        return None if self._door is None else self._door.door

    @property
    def tls(self) -> Callable[[], ssl.SSLContext] | None:
        """What gives each connection its context; None: plain HTTP."""
        watched = self._certificates
        return None if watched is None else lambda: watched.certificates.context

    async def watch(self) -> None:
        """Look at the files regularly, until cancelled."""
        await asyncio.gather(*(each.watch() for each in self._watched()))

    async def look(self) -> None:
        """Look at the files now."""
        for each in self._watched():
            await each.look()

    def _watched(self) -> list[WatchedDoor | WatchedCertificates]:
        return [each for each in (self._door, self._certificates) if each is not None]

    def _warnings(self, is_public: bool) -> Iterator[str]:
        if self._certificates is not None:
            yield from self._certificates.certificates.warnings()
        elif is_public and self._door is not None:
            yield "the witness can be reached from other machines without TLS: tokens cross the network readable"
