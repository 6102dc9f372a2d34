"""What becomes of what was found: replace, mask, pseudonym, drop, vault, keep; pure, but for the original that goes to the vault.

Findings that overlap are treated together, under the name of the surest: what is kept does not excuse what stands in it, and where one
of them is to be masked and another is not, nothing of them stays.
"""

import hashlib
import hmac
import string
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from redaction.findings import BLOCKED_KEY, KEPT, Cleaned, Finding, Findings, Receipt, merged, rewritten
from redaction.policy import DEFAULT_ACTION, SECRET_ENTITIES, Action, RedactionConfig
from redaction.pseudonym import derived_key, pseudonym

MASK: Final = "*"
MASK_KEEPS: Final = 4
MASK_KEEPS_OF: Final = 3
"""A mask keeps the last four letters or digits, and never more than one in three."""

_NEVER_IN_PART: Final = SECRET_ENTITIES | {BLOCKED_KEY}
_HASHED: Final = frozenset({BLOCKED_KEY, "BLOCKED_VALUE"})
_DIGESTS: Final = {
    "md5": hashlib.md5, "sha1": hashlib.sha1, "sha3": hashlib.sha3_256, "hmac-sha256": hashlib.sha256, "hmac-sha512": hashlib.sha512,
}  # fmt: skip

Seal = Callable[[str, str], str]
"""Entity and original → what stands in the record; the original is kept in the vault before the record is answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """How one text is treated: `seal` takes what the vault is to keep."""

    seal: Seal
    identity: bool = False  # the text says who: what is not kept or vaulted becomes a pseudonym
    keep: bool = False  # a key rule leaves personal data in the text


class Actions:
    """The actions of one policy."""

    def __init__(self, config: RedactionConfig, pseudonym_key: bytes) -> None:
        self._by_entity = dict(config.actions.entities)
        self._default: Action = self._by_entity.get(DEFAULT_ACTION, "replace")
        self._pseudonym_key = pseudonym_key
        self._digest = _DIGESTS.get(config.hash_function)
        self._hash_key = derived_key(pseudonym_key, "blocked values")
        self._plain = not self._by_entity and self._digest is None

    def of(self, entity: str) -> Action:
        """Return the action for an entity; credentials are kept or dropped only when they are named."""
        named = self._by_entity.get(entity)
        if named is not None:
            return named
        return "replace" if entity in _NEVER_IN_PART and self._default in {"keep", "mask"} else self._default

    def applied(self, text: str, findings: Findings, how: Treatment) -> Cleaned:
        """Return the text after the actions for its findings."""
        if not findings:
            return Cleaned(text=text)
        if self._plain and not how.identity and not how.keep:
            return replace(rewritten(text, merged(findings), _name), findings=findings)
        actions = {entity: self._in(how, entity) for entity in {each.entity for each in findings}}
        staying = [each for each in findings if actions[each.entity] == "keep"]
        clusters = merged(each for each in findings if actions[each.entity] != "keep")
        mixed = _mixed(clusters, findings, actions)

        def label(cluster: Finding) -> str:
            action: Action = "replace" if cluster in mixed else actions[cluster.entity]
            return self.label(cluster.entity, text[cluster.start : cluster.end], action, how.seal)

        result = rewritten(text, clusters, label)
        return replace(result, receipts={**result.receipts, **kept(merged(staying))}, findings=findings)

    def whole(self, text: str, finding: Finding, action: Action | None, how: Treatment) -> Cleaned:
        """Return what stands for a text that is one finding because of its key; `action` comes before that of the entity."""
        chosen = action or self._in(how, finding.entity)
        if chosen == "keep":
            return Cleaned(text=text, receipts=kept([finding]), findings=(finding,))
        label = self.label(finding.entity, text, chosen, how.seal)
        return Cleaned(text=label, receipts={(finding.entity, finding.rule, ""): 1}, findings=(finding,))

    def vaults(self, entity: str, action: Action | None = None) -> bool:
        """Whether an original of this entity goes to the vault."""
        return (action or self.of(entity)) == "vault"

    def is_constant(self, entity: str) -> bool:
        """Whether the same stands for every text of this entity."""
        return self.of(entity) in {"replace", "drop"} and (self._digest is None or entity not in _HASHED)

    def label(self, entity: str, text: str, action: Action, seal: Seal) -> str:
        """Return what replaces `text`."""
        match action:
            case "pseudonym":
                return pseudonym(self._pseudonym_key, entity, text)
            case "mask":
                return masked(text)
            case "drop":
                return ""
            case "vault":
                return seal(entity, text)
        return f"<{entity}:{self._hash(text)}>" if self._digest is not None and entity in _HASHED else f"<{entity}>"

    def _in(self, how: Treatment, entity: str) -> Action:
        if how.keep and entity not in _NEVER_IN_PART:
            return "keep"
        action = self.of(entity)
        return "pseudonym" if how.identity and action not in {"keep", "vault"} else action

    def _hash(self, text: str) -> str:
        return hmac.new(self._hash_key, text.encode("utf-8", "surrogatepass"), self._digest or hashlib.sha256).hexdigest()


def masked(text: str) -> str:
    """Return `text` with `*` for all letters and digits but the last few; punctuation and spaces stay."""
    counted = sum(char.isalnum() for char in text)
    hidden = counted - min(MASK_KEEPS, counted // MASK_KEEPS_OF)
    masked_text: list[str] = []
    for char in text:
        if char in string.punctuation or unicodedata.category(char)[0] in "PZ":
            masked_text.append(char)
        elif hidden > 0:
            masked_text.append(MASK)
        else:
            masked_text.append(char if char.isalnum() else MASK)
        hidden -= char.isalnum()
    return "".join(masked_text)


def _mixed(clusters: Sequence[Finding], findings: Findings, actions: dict[str, Action]) -> set[Finding]:
    """Return the clusters, in order, in which one finding is to be masked and another is not."""
    starts = [cluster.start for cluster in clusters]
    around = (
        clusters[bisect_right(starts, each.start) - 1] for each in findings if actions[each.entity] not in {"mask", "keep"}
    )  # fmt: skip
    return {cluster for cluster in around if actions[cluster.entity] == "mask"}


def kept(findings: Iterable[Finding], rule: str | None = None) -> dict[Receipt, int]:
    """Return the receipts of findings that stay, because of the action `keep` or of a rule of the policy."""
    receipts: dict[Receipt, int] = {}
    for each in findings:
        receipt = (KEPT, f"{each.entity}/{rule or each.rule}", "")
        receipts[receipt] = receipts.get(receipt, 0) + 1
    return receipts


def _name(finding: Finding) -> str:
    return f"<{finding.entity}>"
