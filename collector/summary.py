"""Diagnostic attributes on the records themselves, as OpenTelemetry's redaction processor adds them (`processors.redaction.summary`).

`redaction.masked.*` is about attributes whose values were replaced, in whole or in part, `redaction.redacted.*` about those whose keys
are not allowed, `redaction.allowed.*` about those in which something was found that the policy keeps, `redaction.ignored.count` (there
are no keys of it there either) about those that the policy ignores. Only the record's own attributes are told; everything else is in
its receipts.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from collector.columns import KEPT
from collector.findings import Findings
from collector.walk import RECORD

_KINDS: Final = {"KEY_NOT_ALLOWED": "redacted", KEPT: "allowed"}
SEPARATOR: Final = ","


def summarize(records: Sequence[Any], findings: Findings, ignored: Callable[[str], bool], *, with_keys: bool) -> None:
    """Append to the attributes of each of `records` what was done to them: numbers of attributes and, `with_keys`, which."""
    for attributes in records:
        if count := sum(ignored(attribute.key) for attribute in attributes):
            attributes.add(key="redaction.ignored.count").value.int_value = count
    for (start, stop), found in findings.by_range.items():
        if stop - start != 1:
            continue
        keys: dict[str, set[str]] = {"redacted": set(), "masked": set(), "allowed": set()}
        for entity, _, place, _ in found:
            if (attribute := place.below(RECORD)) is not None:
                keys[_KINDS.get(entity, "masked")].add(attribute.label(findings.cleaned_keys))
        for kind, of_kind in keys.items():
            if of_kind:
                _append(records[start], kind, sorted(of_kind), with_keys=with_keys)


def _append(attributes: Any, kind: str, keys: Sequence[str], *, with_keys: bool) -> None:
    if with_keys:
        attributes.add(key=f"redaction.{kind}.keys").value.string_value = SEPARATOR.join(keys)
    attributes.add(key=f"redaction.{kind}.count").value.int_value = len(keys)
