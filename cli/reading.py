"""Reads are audited: a command that shows records says in the lake who read what, before it shows anything (docs/access.md).

One event a command, also when it was refused or found nothing. A lake that cannot be written is read all the same, with a warning,
unless the configuration demands the record (`service.audit_reads: required`).
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from cli.options import DEFAULT_CONFIG, fail, is_interrupt

if TYPE_CHECKING:
    from cli.access import AccessLog, Outcome
    from collector.config import Config
    from storage.journal import AttributeValue
    from storage.lake import Lake

READ: Final = "lake.read"
EXPORT: Final = "lake.export"
ROWS: Final = "auditlake.access.rows"
_STATEMENT: Final = "auditlake.access.statement"
READS_TOGETHER: Final = 8
"""Where no sealer runs, so many reads are sealed together: it costs a command half a second."""
UNKNOWN: Final = "lake"
"""The resource of a read of nothing in particular."""


class Reading:
    """A lake that is being read by a command, and the event about it."""

    def __init__(
        self, lake: "Lake", action: str, *, resource: str, statement: str | None, name: str = READ, reason: str | None = None
    ) -> None:
        """`action` is the command; `resource` and `statement` are what was asked for, and `reason` why, in somebody's own words."""
        self.lake = lake
        self._action = action
        self._resource = resource
        self._name = name
        self._reason = reason or ""
        self._asked: dict[str, str] = {} if statement is None else {_STATEMENT: statement}
        self._told = False
        self._durable = False
        self._telling: Future[None] | None = None
        self._beside = ThreadPoolExecutor(max_workers=1)
        self._opened = self._beside.submit(self._open)

    def shown(self, rows: int, *, resource: str | None = None, stored: Sequence[str] = (), to: Path | None = None) -> None:
        """Record that `rows` rows are about to be shown; call it before they are. Exits with 2 when it cannot and must.

        `resource` is what it was in the end; texts in `stored` come out of the lake; `to` is the file or folder that gets them.
        """
        self.tell(rows, resource=resource, stored=stored, to=to)
        self.told()

    def tell(self, rows: int, *, resource: str | None = None, stored: Sequence[str] = (), to: Path | None = None) -> None:
        """Begin to record it, as `shown` does, while what will be shown is made ready."""
        self._told = True
        if to is not None:
            self._asked = {_STATEMENT: " ".join([*self._asked.values(), f"--output {str(to.absolute())!r}"])}
        self._telling = self._beside.submit(self._record, "success", resource or self._resource, {ROWS: rows}, stored=stored)

    def told(self) -> None:
        """Wait until what `tell` began is durable; rows may be shown when this returns. Exits with 2 when it is not and must."""
        if self._telling is not None:
            self._telling.result()

    def exporter(self) -> tuple[str, str]:
        """Return by whom and why something leaves the lake, as the record of it has both: redacted."""
        from cli.access import REASON, operating_user
        from redaction.errors import RedactionError
        from storage.errors import StorageError

        try:
            return self._log.actor, self._log.clean(self._reason, REASON) if self._reason else ""
        except (StorageError, RedactionError):  # the lake cannot be written, so that nothing cleans here
            return operating_user(), "<WITHHELD:unrecorded>" if self._reason else ""

    def failed(self, code: str) -> None:
        """Record that nothing was shown, unless something was."""
        if not self._told:
            self._told = True
            self._record("failure", self._resource, {}, code=code)

    def show_reads(self) -> None:
        """Make all earlier reads visible to the queries of this command."""
        self._seal(at_least=1)

    def end(self) -> None:
        """Make this read visible to queries, together with others. It is durable already."""
        self._beside.shutdown()
        if self._durable:
            self._seal(at_least=READS_TOGETHER)

    def _seal(self, *, at_least: int) -> None:
        from redaction.errors import RedactionError
        from storage.errors import StorageError

        try:
            self._log.seal(at_least=at_least)
        except (StorageError, RedactionError) as error:
            typer.echo(f"warning: recorded reads are not in the views yet: {error}", err=True)

    def _record(
        self,
        outcome: "Outcome",
        resource: str,
        more: "Mapping[str, AttributeValue]",
        *,
        code: str | None = None,
        stored: Sequence[str] = (),
    ) -> None:
        from redaction.errors import RedactionError
        from storage.errors import StorageError

        try:
            asked = {"resource": resource, "reason": self._reason, "name": self._name}
            self._log.record(self._action, outcome=outcome, code=code, more={**self._asked, **more}, stored=stored, **asked)
            self._durable = True
        except (StorageError, RedactionError) as error:
            self._unrecorded(error)

    def _unrecorded(self, error: Exception) -> None:
        from cli.configuration import STAND_IN

        if self._config.audit_reads == "required":
            unknown = f"{DEFAULT_CONFIG} has errors, so nobody can tell whether it has to be: auditlake validate shows them"
            fail(f"the read cannot be recorded, so nothing is shown: {error}", unknown if STAND_IN in self._config.warnings else None)
        typer.echo(f"warning: this read is not recorded: {error}", err=True)

    @cached_property
    def _config(self) -> "Config":
        """The configuration in force; the built-in one stands in for one with errors, which the command has named."""
        from cli.configuration import load_unrouted, stand_in
        from collector.config import ConfigError

        try:
            return load_unrouted()
        except ConfigError:
            return stand_in()

    @property
    def _log(self) -> "AccessLog":
        return self._opened.result()

    def _open(self) -> "AccessLog":
        """Get ready to record, while the lake is read."""
        from cli.access import AccessLog

        return AccessLog(self._config, self.lake.data, scans=bool(self._reason))


@contextmanager
def reading(
    data: Path | None,
    command: str,
    *,
    resource: str = UNKNOWN,
    statement: str | None = None,
    name: str = READ,
    reason: str | None = None,
    abandoned_after: str | None = None,
    clock: Callable[[], int] = time.time_ns,
) -> Iterator[Reading]:
    """Open the lake for a command as `cli.commands._lake.opened` does; the command says `shown` before it shows anything."""
    from cli.commands._lake import SeveralRuns, opened
    from storage.errors import QueryRefused, StorageError

    with _sigterm_as_ctrl_c(), ExitStack() as at_the_end, opened(data, command, abandoned_after=abandoned_after, clock=clock) as lake:
        read = Reading(lake, command, resource=resource, statement=statement, name=name, reason=reason)
        at_the_end.callback(read.end)
        try:
            yield read
        except StorageError as error:
            read.failed("refused" if isinstance(error, QueryRefused) else "failed")
            raise
        except SeveralRuns as several:
            read.shown(several.count)
            fail(several.message, "write more of the id", code=several.exit_code)
        except typer.Exit:
            read.failed("unknown")
            raise
        except BaseException as error:
            read.failed("interrupted" if is_interrupt(error) else "failed")
            raise


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Let SIGTERM end a read as Ctrl-C does, so that it is recorded. Signals are the main thread's: in another one nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def filters(**options: str | Sequence[str] | None) -> str | None:
    """Return options that narrow a read as one line: `--agent 'support' --since '24h'`; None when none is given."""
    given = [(name, [value] if isinstance(value, str) else value) for name, value in options.items() if value]
    return " ".join(f"--{name} {value!r}" for name, values in given for value in values) or None
