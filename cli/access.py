"""What a command or a page did, as an event in the lake: who, when, what, why, with what outcome (the view `access_log`).

Events go into the WAL of the origin `<node>/access` (of pages `<node>/dashboard/access`), redacted by the policy in force; durable when
`record` returns. The running sealer takes them from there; when none runs, `seal` does it.
"""

import os
import pwd
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from collector.node import node_name

if TYPE_CHECKING:
    from collector.config import Config
    from redaction.policy import RedactionConfig
    from redaction.redactor import Redactor
    from storage.journal import AttributeValue

ACTOR: Final = "user.id"
BEHALF: Final = "auditlake.access.on_behalf_of"
REASON: Final = "auditlake.access.reason"
STATEMENT: Final = "auditlake.access.statement"
CLIENT: Final = "client.address"
VIA: Final = "auditlake.access.via"
BUILT_IN: Final = "built_in_policy"
"""The reason code of what succeeded while the configuration had errors: another policy than the one in its file cleaned the record."""
SEALED_HERE_BYTES: Final = 4 << 20
"""A command seals what is pending when it is no more than this: the backlog of a collector that stopped is none of its business."""
Outcome = Literal["success", "failure", "requested"]
"""It happened, it did not; `requested` is told before something that cannot be undone."""


class AccessLog:
    """The access events of one process."""

    def __init__(
        self, config: "Config", data: Path, *, on_behalf_of: str | None = None, scans: bool = True, via: Literal["cli", "dashboard"] = "cli"
    ) -> None:
        """`scans`: texts that the prefilter does not clear are given to Presidio, which takes seconds to load; otherwise pseudonyms
        stand for them (`redaction.statement`). The dashboard says itself who asks, and from where.

        Raises `StorageError` or `RedactionError`.
        """
        from cli.configuration import STAND_IN, cache_folder
        from redaction.cleared import Cleared
        from redaction.policy import policy_hash
        from redaction.pseudonym import load_or_create_key
        from storage.journal import Journal

        with owned(data, "keys"):
            self.pseudonym_key = load_or_create_key(data / "keys" / "pseudonym.key")
        self._data = data
        self._config = config
        self._scans = scans
        self._stored: frozenset[str] = frozenset()
        self._policy = without_vault(config.redaction)
        in_force, folder = policy_hash(self._policy), cache_folder()
        self._cleared = None if scans or folder is None else Cleared(folder, in_force, self.pseudonym_key)
        self._who: dict[str, AttributeValue] = {ACTOR: operating_user(), VIA: via}
        if via == "cli":
            self._who[CLIENT] = client_address()
        if on_behalf_of:
            self._who[BEHALF] = on_behalf_of
        self._code = BUILT_IN if STAND_IN in config.warnings else None
        node = config.parquet.node or node_name(socket.gethostname())
        origin = f"{node}/access" if via == "cli" else f"{node}/{via}/access"
        self._journal = Journal(data, origin, self._cleaned, in_force, time.time_ns)

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
        name: str | None = None,
        stored: Sequence[str] = (),
    ) -> None:
        """Make one event durable. Raises `StorageError` when it cannot: then whatever it tells of must not happen.

        The event is called `name`, or like the action. Texts in `stored` come out of the lake, so that they were cleaned before.
        """
        from storage.journal import JournalEvent

        attributes: dict[str, AttributeValue] = {
            **self._who,
            "auditlake.action": action,
            "auditlake.resource": resource,
            "auditlake.outcome": outcome,
            **({REASON: reason} if reason else {}),
            **({"auditlake.policy.reason_code": said} if (said := code or self._code) else {}),
            **(more or {}),
        }
        severity = 13 if outcome == "failure" else 9
        event = JournalEvent(name=name or action, time_ns=time.time_ns(), attributes=attributes, severity=severity)
        self._stored = frozenset(stored)
        with owned(self._data, "wal"):
            self._journal.write([event])
        if self._cleared is not None:
            self._cleared.keep()

    def seal(self, *, at_least: int = 1) -> None:
        """Make the events visible to queries, unless a sealer runs here or fewer than `at_least` segments wait.

        Raises `StorageError`; what was recorded stays so.
        """
        from storage.durable import held_here
        from storage.wal import closed_segments

        segments = closed_segments(self._data)
        if len(segments) < at_least or held_here((self._data / "wal").rglob("LOCK")):
            return
        with suppress(FileNotFoundError):  # somebody seals
            if sum(segment.path.stat().st_size for segment in segments) > SEALED_HERE_BYTES:
                return
        from collector.pricing import Pricer
        from collector.sealer import seal_pending
        from storage.catalog import Catalog

        with owned(self._data, "."), closing(Catalog.open(self._data)) as catalog:
            seal_pending(self._data, catalog, prices=Pricer(self._config.prices), ledger=self._config.ledger.kept(os.environ))

    def _cleaned(self, items: Sequence[tuple[str, str | None]]) -> list[str]:
        """Clean texts; a placeholder of ours is what cleaning leaves, so that it stays."""
        if not self._scans:
            return [self._cleaned_unscanned(text, key) for text, key in items]
        cleaned = self._redactor.clean_now(items)
        return [text if self._is_clean(text) else each.text for (text, _), each in zip(items, cleaned, strict=True)]

    def _cleaned_unscanned(self, text: str, key: str | None) -> str:
        if (self._cleared is not None and self._cleared.knows(text, key)) or self._is_clean(text):
            return text
        from redaction.statement import cleaned_name, cleaned_statement

        put_right = cleaned_statement if key == STATEMENT else cleaned_name
        cleaned = put_right(text, lambda part: self._redactor.clean_unscanned([(part, key)])[0].text, self.pseudonym_key)
        if cleaned == text and self._cleared is not None:
            self._cleared.add(text, key)
        return cleaned

    def _is_clean(self, text: str) -> bool:
        if text in self._stored:
            return True
        from redaction.rules import PLACEHOLDER

        return PLACEHOLDER.fullmatch(text) is not None

    @cached_property
    def _redactor(self) -> "Redactor":
        from cli.configuration import cache_folder
        from redaction.redactor import Redactor

        return Redactor(self._policy, pseudonym_key=self.pseudonym_key, cache_folder=cache_folder())


@contextmanager
def owned(data: Path, *folders: str) -> Iterator[None]:
    """Give what is written below these folders of a data directory to its owner: the sealer, which runs as that user, takes it up.

    Raises `StorageError` for anyone who is neither that user nor root.
    """
    from storage.errors import StorageError

    owner, own = data.stat(), os.geteuid()
    if own not in {owner.st_uid, 0}:
        raise StorageError("write to the lake", data, hint=f"it belongs to {user_name(owner.st_uid)}: run this as that user")
    try:
        yield
    finally:
        if own != owner.st_uid:
            for folder, _, files in (found for each in folders for found in os.walk(data / each)):
                for name in ("", *files):
                    _give(Path(folder, name), own, owner)


def _give(path: Path, own: int, owner: os.stat_result) -> None:
    with suppress(FileNotFoundError):  # somebody seals
        if path.lstat().st_uid == own:
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def operating_user() -> str:
    """Return the name of the user that runs this process, as the operating system knows it; whoever called sudo is named behind it."""
    name = user_name(os.getuid())
    caller = os.environ.get("SUDO_USER")
    return f"{name} (sudo: {caller})" if caller and os.getuid() == 0 else name


def client_address() -> str:
    """Return from where this process is used: the address of the SSH session, else this machine's name."""
    return (os.environ.get("SSH_CONNECTION") or "").partition(" ")[0] or socket.gethostname()


def user_name(number: int) -> str:
    """Return the name of a user of this system."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid-{number}"


def without_vault(policy: "RedactionConfig") -> "RedactionConfig":
    """Return the policy with `replace` for `vault`: what we say about ourselves is nobody's original to keep."""
    entities = {entity: "replace" if action == "vault" else action for entity, action in policy.actions.entities.items()}
    keys = tuple(rule.model_copy(update={"action": "replace"}) if rule.action == "vault" else rule for rule in policy.actions.keys)
    return policy.model_copy(update={"actions": policy.actions.model_copy(update={"entities": entities, "keys": keys})})
