"""Running the collector until it is told to stop: signals, and how many processes there are."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final, Protocol

import structlog

from collector.config import Config
from collector.listening import Ports
from collector.service import Collector, Host, tune
from collector.upkeep import Upkeep
from collector.workers import Workers

SEALER_SECONDS_BEHIND_WORKERS: Final = 5.0
"""Workers have their time first (`collector.workers.WORKER_GRACE_SECONDS`)."""
__all__ = ["Host", "serve"]


class Service(AbstractAsyncContextManager["Service"], Protocol):
    """`collector.service.Collector`, or `collector.workers.Workers`, which has several of them."""

    @property
    def origin(self) -> str: ...
    @property
    def ports(self) -> Ports: ...
    def reload(self) -> None: ...


async def serve(config: Config, *, data: Path, host: Host, on_ready: Callable[[Ports], None] | None = None) -> None:
    """Run the collector until SIGTERM or SIGINT, then stop within 10 s. Needs the main thread (signals), and is run by `uvloop.run`.

    An answer over uvloop waits half as long as over asyncio's own loop for its turn after the write that it acknowledges.
    SIGHUP reloads the policy. `on_ready` is called once, with the ports, when requests are taken. Raises CollectorError when a port is
    taken or the policy cannot work, and StorageError when the data directory cannot be used; nothing has been changed then.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    collector = service_of(config, data=data, host=host, stop=stop)
    loop.add_signal_handler(signal.SIGHUP, collector.reload)
    log = structlog.get_logger(__name__)
    async with collector:
        if not stop.is_set():
            log.info("collector ready", origin=collector.origin, data=str(data))
            if on_ready is not None:
                on_ready(collector.ports)
        await stop.wait()
        log.info("collector stopping")
    log.info("collector stopped")


def service_of(config: Config, *, data: Path, host: Host, stop: asyncio.Event) -> Service:
    """Return what serves a configuration: this process, or several that it looks after, and does not wait for once `stop` is set."""
    if config.workers > 1:
        upkeep = Upkeep(config, data=data, prepare=host.prepare_child, sealer_seconds=SEALER_SECONDS_BEHIND_WORKERS)
        return Workers(config, data=data, host=host, upkeep=upkeep, stop=stop)
    tune()
    return Collector(config, data=data, host=host, behind=Upkeep(config, data=data, prepare=host.prepare_child))
