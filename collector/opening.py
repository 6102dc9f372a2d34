"""Opening policies: a redactor with its scanner processes, its vault and its keys, tried before it is trusted."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from collector.config import Config
from collector.errors import CollectorError
from collector.health import OK
from collector.policies import Load, Policy
from collector.redact import Walker
from redaction.errors import RedactionError
from redaction.policy import RedactionConfig
from redaction.pseudonym import derived_key, load_or_create_key
from redaction.redactor import Redactor
from redaction.sampling import Sampled
from redaction.secrets import spread_key_lines
from redaction.vault import Vault
from redaction.vault_keys import master_key

WARM_UP_TEXT: Final = "is the scanner ready? ask someone@example.com"


class PolicyOpener:
    """Opens the policies of one data directory. Raises CollectorError, with the remedy, for one that cannot work."""

    def __init__(self, data: Path, *, environ: Mapping[str, str], cache_folder: Path | None) -> None:
        """`environ` may hold the vault's master key; `cache_folder` keeps what takes long to compile."""
        self._data = data
        self._environ = environ
        self._cache_folder = cache_folder
        try:
            self._key = load_or_create_key(data / "keys" / "pseudonym.key")
        except RedactionError as error:
            raise _explained(error) from None

    def key(self, purpose: str) -> bytes:
        """Return 32 bytes that this lake has for another purpose."""
        return derived_key(self._key, purpose)

    def start(self, config: Config) -> Policy:
        """Return a policy whose scanners begin to load."""
        redactor, vault = self._redactor(config.redaction)
        redactor.start()

        async def close() -> None:
            await redactor.close()
            if vault is not None:
                vault.close()

        sampled = Sampled(redactor)
        walker = Walker(
            redactor,
            id_key=self.key("ids"),
            spread_lines=spread_key_lines if config.redaction.secrets.enabled else None,
            captures=bool(config.redaction.content.rules) or config.redaction.content.capture != "full",
            summary=config.redaction.summary,
            sampled=sampled,
        )
        return Policy(
            walker=walker,
            unredacted_signals=config.unredacted_signals,
            state=redactor.state,
            close=close,
            load=lambda: Load(waiting=redactor.waiting, cache_hits=sampled.hits, cache_lookups=sampled.lookups),
        )

    async def open(self, config: Config) -> Policy:
        """Return a policy that has scanned a text; one that cannot is closed again."""
        policy = await asyncio.to_thread(self.start, config)
        try:
            await warm_up(policy)
            if (state := policy.state()) != OK:
                raise CollectorError("start the policy", "processors.redaction", hint=state.removeprefix("down: "))
        except BaseException:
            await policy.close()
            raise
        return policy

    def _redactor(self, config: RedactionConfig) -> tuple[Redactor, Vault | None]:
        vault: Vault | None = None
        try:
            if config.vaulting:
                vault = Vault.open(self._data / "vault", master_key(self._environ, config.vault), pseudonym_key=self._key)
            return Redactor(config, pseudonym_key=self._key, vault=vault, cache_folder=self._cache_folder), vault
        except RedactionError as error:
            if vault is not None:
                vault.close()
            raise _explained(error) from None


async def warm_up(policy: Policy) -> None:
    """Have one text scanned: done when the scanners have loaded, or will not."""
    await policy.walker.redactor.clean([(WARM_UP_TEXT, None)])


def _explained(error: RedactionError) -> CollectorError:
    return CollectorError(error.attempted, error.subject, hint=error.hint)
