"""Whom a command means: a person by the original or by the pseudonym, in all the forms in which the lake can hold them.

The original is never written anywhere by this. What the policy makes of it under a key that says who is what rows hold; an earlier policy
may have recognised another entity in it, so the pseudonym of each is looked for as well.
"""

import hashlib
import hmac
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cli.options import fail

if TYPE_CHECKING:
    from cli.access import AccessLog
    from collector.config import Config


def names_of(config: "Config", log: "AccessLog", subject: str) -> tuple[str, ...]:
    """Return the names under which rows can hold a person: the original as it was given, and what can stand for it."""
    from redaction.pseudonym import pseudonym
    from redaction.statement import ENTITY
    from storage.person import STORED

    subject = subject.strip()
    if STORED.fullmatch(subject):
        return (subject,)
    cleaned = {log.clean(subject, key) for key in ("user.id", "session.id")}
    parts = [found[0] for text in cleaned for found in STORED.finditer(text)]
    entities = sorted({*config.redaction.known_entities(), ENTITY})
    return tuple(dict.fromkeys((subject, *parts, *(pseudonym(log.pseudonym_key, entity, subject) for entity in entities))))


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
    """Return a reason; exits with 2 when there is none."""
    if not text.strip():
        fail("the reason is empty", "say why: --reason TEXT stays in the lake")
    return text.strip()
