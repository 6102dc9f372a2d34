"""What a command did, as an event in the lake: who, when, what, why, with what outcome (the view `access_log`).

Events go into the WAL of the origin `<node>/access`, redacted by the policy in force; durable when `record` returns. The running
sealer takes them from there; when none runs, `seal` does it.
"""

import os
import pwd
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from collector.node import node_name
from redaction.vault import PLACEHOLDER

if TYPE_CHECKING:
    from collector.config import Config
    from redaction.policy import RedactionConfig
    from storage.journal import AttributeValue

ACTOR: Final = "user.id"
BEHALF: Final = "auditlake.access.on_behalf_of"
REASON: Final = "auditlake.access.reason"
Outcome = Literal["success", "failure", "requested"]
"""It happened, it did not; `requested` is told before something that cannot be undone."""


class AccessLog:
    """The access events of one command."""

    def __init__(self, config: "Config", data: Path, *, on_behalf_of: str | None = None) -> None:
        from cli.configuration import cache_folder
        from redaction.pseudonym import load_or_create_key
        from redaction.redactor import Redactor
        from storage.journal import Journal

        self.pseudonym_key = load_or_create_key(data / "keys" / "pseudonym.key")
        self._data = data
        self._prices = config.prices
        self._redactor = Redactor(without_vault(config.redaction), pseudonym_key=self.pseudonym_key, cache_folder=cache_folder())
        self._who: dict[str, AttributeValue] = {ACTOR: operating_user()}
        if on_behalf_of:
            self._who[BEHALF] = on_behalf_of
        origin = f"{config.parquet.node or node_name(socket.gethostname())}/access"
        self._journal = Journal(data, origin, self._cleaned, self._redactor.policy_hash, time.time_ns)

    @property
    def actor(self) -> str:
        """The operating system's user, as the policy leaves it."""
        return self.clean(str(self._who[ACTOR]), ACTOR)

    def clean(self, text: str, key: str) -> str:
        """Return what the policy leaves of a text."""
        return self._cleaned([(text, key)])[0]

    def record(
        self,
        action: str,
        *,
        outcome: Outcome,
        resource: str,
        reason: str = "",
        code: str | None = None,
        more: "Mapping[str, AttributeValue] | None" = None,
    ) -> None:
        """Make one event durable. Raises `StorageError` when it cannot: then whatever it tells of must not happen."""
        from storage.journal import JournalEvent

        attributes: dict[str, AttributeValue] = {
            **self._who,
            "auditlake.action": action,
            "auditlake.resource": resource,
            "auditlake.outcome": outcome,
            **({REASON: reason} if reason else {}),
            **({"auditlake.policy.reason_code": code} if code else {}),
            **(more or {}),
        }
        severity = 13 if outcome == "failure" else 9
        self._journal.write([JournalEvent(name=action, time_ns=time.time_ns(), attributes=attributes, severity=severity)])

    def seal(self) -> None:
        """Make the events visible to queries, unless a running sealer is at it. Raises `StorageError`; what was recorded stays so."""
        from collector.pricing import Pricer
        from collector.sealer import seal_pending
        from storage.catalog import Catalog

        with closing(Catalog.open(self._data)) as catalog:
            seal_pending(self._data, catalog, prices=Pricer(self._prices))

    def _cleaned(self, items: Sequence[tuple[str, str | None]]) -> list[str]:
        """Clean texts; a placeholder of ours is what cleaning leaves, so that it stays."""
        cleaned = self._redactor.clean_now(items)
        return [text if PLACEHOLDER.fullmatch(text) else each.text for (text, _), each in zip(items, cleaned, strict=True)]


def operating_user() -> str:
    """Return the name of the user that runs this process, as the operating system knows it; whoever called sudo is named behind it."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid-{os.getuid()}"
    caller = os.environ.get("SUDO_USER")
    return f"{name} (sudo: {caller})" if caller and os.getuid() == 0 else name


def without_vault(policy: "RedactionConfig") -> "RedactionConfig":
    """Return the policy with `replace` for `vault`: what we say about ourselves is nobody's original to keep."""
    entities = {entity: "replace" if action == "vault" else action for entity, action in policy.actions.entities.items()}
    keys = tuple(rule.model_copy(update={"action": "replace"}) if rule.action == "vault" else rule for rule in policy.actions.keys)
    return policy.model_copy(update={"actions": policy.actions.model_copy(update={"entities": entities, "keys": keys})})
