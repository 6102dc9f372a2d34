"""Which alert mutes which: cases of `inhibit/inhibit_test.go`. Their effect on what is told stands in routing_conformance.yaml."""

from dataclasses import replace

import pytest

from alerts.evaluate import State
from alerts.inhibition import Inhibition, InhibitRule
from alerts.matchers import parse_matchers
from alerts.routing import read_routing
from collector.config_model import AlertsConfig
from tests.alerts.fakes import START
from tests.alerts.simulation import alert, labels


def rule(source: str, target: str, *equal: str) -> InhibitRule:
    return InhibitRule(source=parse_matchers(source), target=parse_matchers(target), equal=equal)


@pytest.mark.parametrize(
    ("rules", "firing", "target", "by"),
    [
        ([rule("s=1", "t=1", "e")], ["A{s=1,e=x}"], "B{t=1,e=x}", "A{s=1,e=x}"),
        ([rule("s=1", "t=1", "e")], ["A{s=1,e=x}"], "B{t=1,e=y}", None),
        ([rule("s=1", "t=1", "e")], ["A{s=1,e=x}"], "B{t=2,e=x}", None),
        ([rule("s=1", "t=1", "e")], ["A{s=2,e=x}"], "B{t=1,e=x}", None),
        ([rule("s=1", "t=1", "e")], ["A{s=1,e=y}", "A{s=1,e=x}"], "B{t=1,e=x}", "A{s=1,e=x}"),
        ([rule("s=1", "t=1", "e"), rule("s=2", "t=1")], ["A{s=2}"], "B{t=1,e=x}", "A{s=2}"),
        ([rule("s=1", "t=1")], [], "B{t=1}", None),
        ([rule("", "")], ["A{s=1}"], "B{t=1}", None),
        ([rule("s=1", "")], ["A{s=1}"], "B{t=1}", "A{s=1}"),
        ([rule("s=1", "")], ["A{s=1}"], "B{s=1}", None),
        ([rule("s=1", "t=1")], ["A{s=1}", "B{s=1,t=1}"], "B{s=1,t=1}", "A{s=1}"),
        ([], ["A{s=1}"], "B{t=1}", None),
    ],
)
def test_what_mutes(rules: list[InhibitRule], firing: list[str], target: str, by: str | None) -> None:
    """Sources of a rule that takes every alert as its target are targets, too: they mute only what is no source."""
    found = Inhibition(rules, [alert(text) for text in firing]).by(labels(target))
    assert found == (None if by is None else alert(by).fingerprint)


def test_a_source_that_resolved_mutes_nothing() -> None:
    source = replace(alert("A{s=1}"), state=State.RESOLVED, resolved_at=START)
    assert Inhibition([rule("s=1", "t=1")], [source]).by({"t": "1"}) is None


def muted_by_default(source: str, target: str) -> bool:
    """Whether, without a word in the configuration, nobody is told of `target` while `source` fires."""
    rules = [rule.model_dump() for rule in AlertsConfig().inhibit_rules]
    sources = [alert(source), alert(target)]
    return Inhibition(read_routing(None, rules).inhibit_rules, sources).by(labels(target)) is not None


GAP, LOSS = "AuditWriteGap{slo=audit-write-gap,urgency=page}", "AuditWriteLoss{origin=n/collector,slo=audit-write-loss,urgency=page}"


@pytest.mark.parametrize(
    ("reason", "objective"),
    [("entries are missing", GAP), ("verification failed", GAP), ("records are damaged", LOSS)],
)
def test_one_cause_is_one_alert(reason: str, objective: str) -> None:
    """What is missing, altered or damaged in the ledger fires its rule and its objective: people are told by the rule, which knows more."""
    rule = f"AuditGap{{origin=n/collector,reason={reason}}}"
    assert muted_by_default(rule, objective)
    assert not muted_by_default(objective, rule)


def test_what_has_another_cause_is_told_beside_it() -> None:
    checkpoint = "AuditGap{node=n,reason=no checkpoint}"
    assert not any(muted_by_default(checkpoint, objective) for objective in (GAP, LOSS))
    assert not muted_by_default("AuditGap{origin=n/collector,reason=records are damaged}", GAP)
    assert not muted_by_default("AuditGap{origin=m/collector,reason=records are damaged}", LOSS)
    assert not muted_by_default("AuditGap{origin=n/collector,reason=entries are missing}", LOSS)
