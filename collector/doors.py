"""Everything that decides who may send and how much: the doorkeepers, certificates and limits of one configuration, as its files change.

A file is looked at by its content, regularly and at SIGHUP. One that has become bad, or is gone, changes nothing: what was read before goes
on, the log says why, once, and so does the health.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import structlog

from collector.authentication import Door
from collector.bearer_tokens import BearerTokens, bearer_tokens
from collector.config import Config
from collector.config_admission import AllowanceConfig, BasicAuthConfig, BearerTokenAuthConfig, TlsConfig
from collector.errors import CollectorError
from collector.health import OK
from collector.passwords import Passwords, passwords
from collector.quotas import UNLIMITED, Allowance, Quotas
from collector.tls import Certificates

MOST_FILE_BYTES: Final = 16 << 20

AuthenticatorConfig = BearerTokenAuthConfig | BasicAuthConfig


class Doors:
    """Raises CollectorError when a file cannot be used, before anything is served."""

    def __init__(self, config: Config) -> None:
        self._doors = {name: WatchedDoor(name, section) for name, section in config.authenticators.items()}
        protocols = (("grpc", config.otlp.grpc), ("http", config.otlp.http))
        self._asked = {
            name: protocol.auth.authenticator for name, protocol in protocols if protocol is not None and protocol.auth is not None
        }
        self._certificates = {name: WatchedCertificates(_tls_place(name), section) for name, section in _tls_sections(config)}
        self.quotas = quotas_of(config)

    def doorkeeper(self, protocol: str) -> Door | None:
        """Return who tells who sends over `grpc` or `http`; None: nobody has to authenticate."""
        identifier = self._asked.get(protocol)
        return None if identifier is None else self._doors[identifier].door

    def certificates(self, protocol: str) -> Certificates | None:
        """Return the certificates of `grpc` or `http`; None: plain text."""
        watched = self._certificates.get(protocol)
        return None if watched is None else watched.certificates

    def state(self) -> str:
        """Return "ok", or "failed: " and which file could not be read again."""
        failures = [watched.failure for watched in self._watched() if watched.failure is not None]
        return f"failed: {'; '.join(failures)}; what was read before goes on" if failures else OK

    def warnings(self) -> Iterator[str]:
        """Yield what is wrong although it can be used."""
        for watched in self._certificates.values():
            yield from watched.certificates.warnings()

    async def watch(self) -> None:
        """Look at the files regularly, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for watched in self._watched():
                tasks.create_task(watched.watch())

    def prepare(self, config: Config) -> Callable[[], None]:
        """Read the authenticators of another configuration, and the files of certificates again; returns what puts them into force.

        Raises CollectorError when any of it cannot be used; nothing has changed then. Limits are taken over, too; what else is new in the
        receivers waits for a restart.
        """
        known = {name: config.authenticators[name] for name in self._doors if name in config.authenticators}
        doors = {name: WatchedDoor(name, section) for name, section in known.items()}
        identities = [(watched, watched.certificates.fresh(authorities=True)) for watched in self._certificates.values()]
        quotas = quotas_of(config)

        def use() -> None:
            for name, door in doors.items():
                self._doors[name].become(door)
            for watched, identity in identities:
                watched.failure = None
                if identity is not None:
                    watched.certificates.take(identity)
            self.quotas.become(quotas)

        return use

    def _watched(self) -> "list[WatchedDoor | WatchedCertificates]":
        return [*self._doors.values(), *self._certificates.values()]


class WatchedDoor:
    """A doorkeeper and the file of its credentials."""

    def __init__(self, identifier: str, section: AuthenticatorConfig, *, where: str | None = None) -> None:
        """`where` says for messages where the section stands; None: among the extensions."""
        self._identifier = identifier
        self._where = where or f"extensions.{identifier}"
        self._section = section
        content = _content(self._where, section)
        self._digest = _digest(content)
        self.door = Door(self._credentials(section, content))
        self.failure: str | None = None

    def become(self, other: "WatchedDoor") -> None:
        """Take over section and credentials of another one; the door stays, receivers hold it."""
        self._section, self._digest, self.failure = other._section, other._digest, None
        self.door.replace(other.door.credentials)

    async def watch(self) -> None:
        """Replace the credentials whenever the content of their file changes."""
        while True:
            await asyncio.sleep(self._section.reload_interval)
            await self.look()

    async def look(self) -> None:
        """Replace the credentials now, if their file has others."""
        if _file(self._section) is not None:
            try:
                await self._refresh(self._section)
                self.failure = None
            except CollectorError as error:
                self.failure = _told(self.failure, self._where, error)

    async def _refresh(self, section: AuthenticatorConfig) -> None:
        content = await asyncio.to_thread(_content, self._where, section)
        if _digest(content) == self._digest:
            return
        credentials = await asyncio.to_thread(self._credentials, section, content)
        if section is self._section:  # no reload came between
            self._digest = _digest(content)
            self.door.replace(credentials)
            structlog.get_logger(__name__).info("credentials loaded again", extension=self._identifier)

    def _credentials(self, section: AuthenticatorConfig, content: bytes | None) -> BearerTokens | Passwords:
        if isinstance(section, BearerTokenAuthConfig):
            return bearer_tokens(self._identifier, section, content, where=self._where)
        return passwords(self._identifier, section, content)


class WatchedCertificates:
    """The certificates of a server and their files."""

    def __init__(self, where: str, section: TlsConfig) -> None:
        """`where` says for messages where the section stands."""
        self.certificates = Certificates(where, section)
        self._interval_seconds = section.reload_interval
        self.failure: str | None = None

    async def watch(self) -> None:
        """Take new certificates when the files have others."""
        while True:
            await asyncio.sleep(self._interval_seconds)
            await self.look()

    async def look(self) -> None:
        """Take new certificates now, if the files have others."""
        try:
            if (identity := await asyncio.to_thread(self.certificates.fresh)) is not None:
                self.certificates.take(identity)
                structlog.get_logger(__name__).info("certificates loaded again", section=self.certificates.where)
            self.failure = None
        except CollectorError as error:
            self.failure = _told(self.failure, self.certificates.where, error)


def check(config: Config) -> tuple[list[str], list[str]]:
    """Read all that `Doors` would; returns what cannot be used, and what is wrong although it can."""
    problems, warnings = [], []
    for name, section in config.authenticators.items():
        try:
            WatchedDoor(name, section)
        except CollectorError as error:
            problems.append(str(error))
    for protocol, tls in _tls_sections(config):
        try:
            warnings += WatchedCertificates(_tls_place(protocol), tls).certificates.warnings()
        except CollectorError as error:
            problems.append(str(error))
    return problems, warnings


def _tls_place(protocol: str) -> str:
    return f"receivers.otlp.protocols.{protocol}.tls"


def _tls_sections(config: Config) -> Iterator[tuple[str, TlsConfig]]:
    for name, protocol in (("grpc", config.otlp.grpc), ("http", config.otlp.http)):
        if protocol is not None and protocol.tls is not None:
            yield name, protocol.tls


def quotas_of(config: Config) -> Quotas:
    """Return the limits of a configuration; those that limit nothing cost a look-up a request."""
    default = config.limits.default
    tenants = {tenant: _allowance(section) for tenant, section in config.limits.tenants.items()}
    return Quotas(None if default is None else _allowance(default), tenants)


def _allowance(section: AllowanceConfig) -> Allowance:
    requests, size = section.requests_per_second, section.bytes_per_second
    return Allowance(
        requests_per_second=requests,
        requests_burst=max(1.0, requests or 0.0) if section.requests_burst is None else section.requests_burst,
        bytes_per_second=size,
        bytes_burst=max(1.0, size or 0.0) if section.bytes_burst is None else section.bytes_burst,
        request_bytes=UNLIMITED if section.max_request_bytes is None else section.max_request_bytes,
    )


def _content(place: str, section: AuthenticatorConfig) -> bytes | None:
    """Return what is in the file of a section, None when it has none; raises CollectorError."""
    file = _file(section)
    if file is None:
        return None
    where = f"{place}: {file}"
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST_FILE_BYTES + 1)
    except OSError as error:
        why = (error.strerror or "error").lower()
        raise CollectorError("read the credentials", where, hint=f"{why}: create the file, or let this user read it") from None
    if len(content) > MOST_FILE_BYTES:
        raise CollectorError("read the credentials", where, hint=f"it is longer than {MOST_FILE_BYTES >> 20} MiB: name another file")
    return content


def _file(section: AuthenticatorConfig) -> Path | None:
    return section.filename if isinstance(section, BearerTokenAuthConfig) else section.htpasswd.file


def _digest(content: bytes | None) -> bytes:
    return hashlib.sha256(content or b"").digest()


def _told(before: str | None, where: str, error: CollectorError) -> str:
    """Log a failure, unless it is the one that was logged before; returns what the health says of it."""
    text = str(error)
    if text != before:
        structlog.get_logger(__name__).error("a file could not be read again, what was read before goes on", section=where, problem=text)
    return text
