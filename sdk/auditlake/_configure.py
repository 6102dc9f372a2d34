"""`configure()`: the public way in."""

import atexit
import logging
import threading
from dataclasses import dataclass
from typing import Final, Unpack

import structlog
from opentelemetry import _logs, metrics, trace
from opentelemetry.trace import ProxyTracerProvider

from auditlake._client import Client
from auditlake._errors import ConfigurationError
from auditlake._settings import Options, Settings
from auditlake._state import current, replace
from auditlake._structlog import structlog_processor

_lock: Final = threading.RLock()


@dataclass(frozen=True, slots=True)
class Handle:
    """What `configure()` returns: send now, or stop."""

    _client: Client

    def flush(self, timeout_seconds: float | None = None) -> bool:
        """Send what waits, within the time (default: `timeout_seconds` of configure).

        Returns whether everything was settled in time: delivered, or counted in `auditlake.dropped()`.
        """
        return self._client.flush(self._client.settings.timeout_seconds if timeout_seconds is None else timeout_seconds)

    def shutdown(self, timeout_seconds: float | None = None) -> bool:
        """Send what waits and stop, without saying that the agent ended on purpose (that is `auditlake.shutdown()`). Idempotent."""
        with _lock:
            if current() is self._client:
                replace(None)
        return self._client.close(self._client.settings.timeout_seconds if timeout_seconds is None else timeout_seconds)

    @property
    def spooled(self) -> int:
        """How many audit records wait, encrypted, on disk."""
        return 0 if self._client.spool is None else len(self._client.spool)


def configure(service_name: str, **options: Unpack[Options]) -> Handle:
    """Connect this process to auditlake, and return the handle that flushes and stops it.

    `options` are the fields of `Settings`; the commonest: `endpoint` (`http://127.0.0.1:4318`, or port 4317 for gRPC),
    `tenant`, `environment`, `release`, `agent_name`, `headers`. Nothing is connected yet, so a collector that is down delays
    nothing. The providers become OpenTelemetry's global ones (so that other instrumentation lands in the same runs) unless
    others are set, and structlog gets our processor. Calling it again with the same settings returns the same connection;
    with different ones raises `ConfigurationError`. At exit, what waits is sent.
    """
    try:
        settings = Settings(service_name=service_name, **options)
    except TypeError as error:
        raise ConfigurationError("configure", error, hint="see auditlake.Settings for the options") from error
    with _lock:
        if (existing := current()) is not None:
            if existing.settings != settings:
                raise ConfigurationError("configure again with other settings", hint="call auditlake.shutdown() first")
            return Handle(existing)
        client = Client(settings)
        replace(client)
        handle = Handle(client)
        if settings.set_global:
            _set_global(client)
        if settings.structlog:
            _add_processor()
        atexit.register(handle.shutdown)
        return handle


def _set_global(client: Client) -> None:
    """Make our providers the global ones where none is set; OpenTelemetry allows that once in a process."""
    if not isinstance(trace.get_tracer_provider(), ProxyTracerProvider):
        logging.getLogger("auditlake").info("OpenTelemetry already has a tracer provider: its spans do not go to auditlake")
        return
    trace.set_tracer_provider(client.tracer_provider)
    _logs.set_logger_provider(client.logger_provider)
    metrics.set_meter_provider(client.meter_provider)


def _add_processor() -> None:
    """Put our processor before structlog's last one, the renderer, which no longer hands on the event's fields."""
    processors = list(structlog.get_config()["processors"])
    if structlog_processor not in processors:
        structlog.configure(processors=[*processors[:-1], structlog_processor, *processors[-1:]])
