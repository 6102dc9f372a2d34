"""What the pages show, as events in the lake: the part of `dashboards.visits` that knows configuration, redaction and origins."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from cli.reading import READS_TOGETHER, ROWS

if TYPE_CHECKING:
    from cli.access import AccessLog
    from collector.config import Config
    from dashboards.visits import Visit
    from storage.journal import AttributeValue


class PageLog:
    """Writes the visits of one dashboard process. May be used from several threads."""

    def __init__(self, data: Path, config: "Config") -> None:
        self._data = data
        self._config = config
        self._lock = threading.Lock()
        self._log: AccessLog | None = None
        self._sealing: threading.Thread | None = None

    def __call__(self, visit: "Visit") -> None:
        """Make a visit durable. Raises `StorageError` or `RedactionError` when it cannot."""
        from cli.access import ACTOR, CLIENT, STATEMENT

        more: dict[str, AttributeValue] = {ROWS: visit.rows}
        more |= {key: value for key, value in ((ACTOR, visit.reader), (CLIENT, visit.client), (STATEMENT, visit.statement)) if value}
        with self._lock:
            if self._log is None:
                from cli.access import AccessLog

                self._log = AccessLog(self._config, self._data, scans=False, via="dashboard")
            self._log.record(
                f"page.{visit.page}" if visit.page != "download" else "export",
                outcome="success" if visit.found else "failure",
                resource=visit.resource,
                code=None if visit.found else "unknown",
                more=more,
                name=visit.name,
                stored=[visit.resource] if visit.found else [],
            )
            self._seal_beside(self._log)

    def _seal_beside(self, log: "AccessLog") -> None:
        """Seal visits that wait, where no sealer runs, without keeping the reader waiting."""
        if self._sealing is not None and self._sealing.is_alive():
            return
        self._sealing = threading.Thread(target=_seal, args=(log,), name="seal-visits", daemon=True)
        self._sealing.start()


def _seal(log: "AccessLog") -> None:
    from storage.errors import StorageError

    try:
        log.seal(at_least=READS_TOGETHER)
    except StorageError as error:
        import structlog

        structlog.get_logger(__name__).warning("visits are recorded, but not sealed yet", subject=error.subject, hint=error.hint)


def configured(path: Path | None) -> "Config":
    """Return the configuration that the dashboard was started with; the built-in one when it has errors by now."""
    from cli.configuration import load_config, stand_in
    from collector.config import ConfigError

    try:
        return load_config(path)
    except ConfigError:
        return stand_in()
