"""Whom a command means: a person by the original or by the pseudonym, in all the forms in which the lake can hold them.

The original is never written anywhere by this. What the policy makes of it under a key that says who is what rows hold; an earlier policy
may have recognised another entity in it, so the pseudonym of each is looked for as well.
"""

import hashlib
import hmac
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cli.options import fail

if TYPE_CHECKING:
    from cli.access import AccessLog
    from collector.config import Config
    from redaction.vault import Vault

FOLDER: Final = "vault"

MOST_REASON_CHARS: Final = 2000


def names_of(config: "Config", log: "AccessLog", subject: str, vault: "Vault | None" = None) -> tuple[str, ...]:
    """Return the names under which rows can hold a person: the original as it was given, and what can stand for it.

    A vault gives the references under which it keeps the name itself, where the policy puts names there.
    """
    from redaction.pseudonym import pseudonym
    from redaction.statement import ENTITY
    from redaction.vault import placeholder
    from storage.person import STORED

    subject = subject.strip()
    if STORED.fullmatch(subject):
        return (subject,)
    cleaned = {log.clean(subject, key) for key in ("user.id", "session.id")}
    parts = [found[0] for text in cleaned for found in STORED.finditer(text)]
    entities = sorted({*config.redaction.known_entities(), ENTITY})
    kept = [] if vault is None else [placeholder(entity, vault.reference(subject, entity, subject)) for entity in entities]
    return tuple(dict.fromkeys((subject, *parts, *(pseudonym(log.pseudonym_key, entity, subject) for entity in entities), *kept)))


@contextmanager
def opened_vault(config: "Config", data: Path, log: "AccessLog") -> "Iterator[Vault | None]":
    """Yield the vault of a lake, None when it has none. Raises `VaultError`, also when its key is not given."""
    if not (data / FOLDER).is_dir():
        yield None
        return
    from redaction.vault import Vault
    from redaction.vault_keys import master_key

    vault = Vault.open(data / FOLDER, master_key(os.environ, config.redaction.vault), pseudonym_key=log.pseudonym_key, create=False)
    try:
        yield vault
    finally:
        vault.close()


def storable(log: "AccessLog", names: Sequence[str]) -> tuple[str, ...]:
    """Return those of a person's names that may be written down: what the policy leaves as it is, and what stands for an original."""
    from storage.person import STORED

    return tuple(name for name in names if STORED.fullmatch(name) or log.clean(name, "user.id") == name)


def fingerprint(log: "AccessLog", kind: str, subject: str) -> str:
    """Return what recognises the same subject when it is given again, and tells nothing without the lake's key."""
    from redaction.pseudonym import derived_key

    message = f"{kind}\0{subject.strip().casefold()}".encode("utf-8", "surrogatepass")
    return hmac.new(derived_key(log.pseudonym_key, "orders"), message, hashlib.sha256).hexdigest()


def stated(text: str, option: str) -> str:
    """Return what an option says, which may be `-`: a line of standard input, so that it is in no shell history."""
    import sys

    given = sys.stdin.readline().rstrip("\n") if text == "-" else text
    if not given.strip():
        fail(f"{option} is empty", "say who or which")
    return given.strip()


def why(text: str) -> str:
    """Return a reason; exits with 2 when there is none, or a whole letter."""
    if not text.strip():
        fail("the reason is empty", "say why: --reason TEXT stays in the lake")
    if len(text) > MOST_REASON_CHARS:
        fail(f"the reason has {len(text)} characters", f"say it in {MOST_REASON_CHARS}, with the number of the document that says more")
    return text.strip()
