"""Attributes that say on a record what was done to it, under the names that contrib's redaction processor gives them.

They are computed from receipts, which hold cleaned keys only: contrib lists the keys as they came.
"""

from collections.abc import Iterable
from typing import Final, Literal

from redaction.findings import KEPT, KEY_NOT_ALLOWED

Level = Literal["silent", "info", "debug"]

BODY: Final = "body"
"""Key of receipts for the body of a log record, before the path inside it."""

SUMMARY_KEYS: Final = tuple(
    f"redaction.{part}{what}.{how}" for part in ("", "body.") for what in ("redacted", "masked", "allowed") for how in ("keys", "count")
)


def summary_attributes(level: Level, receipts: Iterable[tuple[str, str, str, int]]) -> dict[str, str | int]:
    """Return the attributes for one record from its receipts (entity, rule, key, count): nothing, numbers, or numbers and keys.

    `redacted`: values that went with `allow_all_keys: false`; `masked`: values in which something was replaced; `allowed`: values in
    which something was found and stayed. A number counts keys, not findings; keys stand in order, between commas.
    """
    if level == "silent":
        return {}
    keys: dict[str, set[str]] = {}
    for entity, _, key, _ in receipts:
        what = {KEY_NOT_ALLOWED: "redacted", KEPT: "allowed"}.get(entity, "masked")
        part = "body." if key == BODY or key.startswith((f"{BODY}.", f"{BODY}[")) else ""
        keys.setdefault(f"redaction.{part}{what}", set()).add(key)
    attributes: dict[str, str | int] = {}
    for name, of in sorted(keys.items()):
        if level == "debug":
            attributes[f"{name}.keys"] = ",".join(sorted(of))
        attributes[f"{name}.count"] = len(of)
    return attributes
