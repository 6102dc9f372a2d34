"""Hot reload: the configuration is read again, its policy started beside the one in force, tried, and only then put in its place.

Whatever goes wrong on the way, what runs goes on running, says so in the log, in its health and in the lake. What cannot change without
a restart is named.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from collector.config import Config, ConfigError
from collector.config_hash import config_hash
from collector.errors import CollectorError
from collector.health import OK
from collector.policies import Policies, Policy

Load = Callable[[], Config]
"""Reads the configuration; raises ConfigError."""

_AT_RESTART: Final = {
    "otlp": "receivers.otlp",
    "memory_limiter": "processors.memory_limiter",
    "parquet": "exporters.parquet",
    "health_check": "extensions.health_check",
    "dashboard": "extensions.dashboard",
    "signals": "service.pipelines",
    "workers": "service.workers",
    "forwards": "exporters and filters that forward",
    "ledger": "extensions.ledger",
}
"""What a reload leaves as it is: the attribute of `Config`, and what people call it."""


def in_force(running: Config, read: Config) -> Config:
    """Return a configuration that was read again, but for what waits for a restart."""
    return replace(read, **{name: getattr(running, name) for name in (*_AT_RESTART, "alerts")})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a reload: hashes, counts and names of ours, never text of the configuration."""

    old_hash: str
    new_hash: str | None  # None: refused
    problems: int = 0
    at_restart: tuple[str, ...] = ()
    old_config: str = field(default="", compare=False)  # hash of the whole configuration as it was read before
    new_config: str = field(default="", compare=False)  # and now; empty: refused


class Reloader:
    """Several wishes while one is being fulfilled are one."""

    def __init__(
        self,
        running: Config,
        *,
        load: Load | None,
        open_policy: Callable[[Config], Awaitable[Policy]],
        policies: Policies,
        use: Callable[[Config], None],
        prepare_doors: Callable[[Config], Callable[[], None]],
        tell: Callable[[Outcome], None],
        asked: asyncio.Event,
    ) -> None:
        """Reloads when `asked` is set; `load` None: never. `open_policy` returns a policy that works, or raises CollectorError;
        `use` has what works behind take over prices and how long rows are kept; `prepare_doors` reads tokens, passwords, certificates and
        limits again and returns what puts them into force, or raises CollectorError; `tell` writes the outcome into the lake.
        """
        self._running = running
        self._config_hash = config_hash(running)
        self._load = load
        self._open_policy = open_policy
        self._policies = policies
        self._use = use
        self._prepare_doors = prepare_doors
        self._tell = tell
        self._asked = asked
        self._state = OK

    def state(self) -> str:
        """Return "ok", or "failed: " and how the last reload was refused."""
        return self._state

    async def run(self) -> None:
        """Reload whenever asked, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            if self._load is not None:
                await self._reload(self._load)

    async def _reload(self, load: Load) -> None:
        try:
            config = await asyncio.to_thread(load)
            at_restart = tuple(_waiting(self._running, config))
            old_hash = self._policies.current.policy_hash
            use_doors = await asyncio.to_thread(self._prepare_doors, config)
            if _policy_of(config) != _policy_of(self._running):
                self._policies.replace(await self._open_policy(config))
            use_doors()
        except ConfigError as error:
            self._refuse([str(problem) for problem in error.problems])
        except CollectorError as error:
            self._refuse([str(error)])
        except Exception as error:  # noqa: BLE001 - whatever it is, what runs goes on running; the message may hold text of the file
            self._refuse([f"unexpected: {type(error).__name__}"])
        else:
            self._take(config, old_hash, at_restart)

    def _take(self, config: Config, old_hash: str, at_restart: tuple[str, ...]) -> None:
        self._use(config)
        if config.prices != self._running.prices:
            structlog.get_logger(__name__).info("prices loaded again", version=None if config.prices is None else config.prices.version)
        self._running = in_force(self._running, config)
        self._state = OK
        new_hash = self._policies.current.policy_hash
        log = structlog.get_logger(__name__)
        log.info("configuration loaded again", old_policy_hash=old_hash, new_policy_hash=new_hash)
        if at_restart:
            log.warning("changed in the configuration, and taken over at the next start only", sections=list(at_restart))
        for warning in config.warnings:
            log.warning(warning)
        old_config, self._config_hash = self._config_hash, config_hash(config)
        new_config = self._config_hash
        self._tell(Outcome(old_hash=old_hash, new_hash=new_hash, at_restart=at_restart, old_config=old_config, new_config=new_config))

    def _refuse(self, problems: list[str]) -> None:
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        self._state = f"failed: {count}, see the log of the collector; what ran before goes on"
        structlog.get_logger(__name__).error("the configuration is refused, what runs is kept", problems=problems)
        kept = self._policies.current.policy_hash
        self._tell(Outcome(old_hash=kept, new_hash=None, problems=len(problems), old_config=self._config_hash))


def _waiting(running: Config, read: Config) -> Iterator[str]:
    """Yield what waits for a restart. Alerts are taken over by their own process; whether there is one is decided at a start."""
    for name, label in _AT_RESTART.items():
        if getattr(read, name) != getattr(running, name):
            yield label
    if (read.alerts is None) is not (running.alerts is None):
        yield "extensions.alerts"


def _policy_of(config: Config) -> tuple[object, ...]:
    return config.redaction, config.unredacted_signals
