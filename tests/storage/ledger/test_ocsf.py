"""Audit events as OCSF 1.9: what the schema requires is there, and a chain in which anything changed is found."""

import copy
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.ledger.ocsf import ACTIVITIES, Event, attested, fingerprint, jcs, ocsf_event, ocsf_events

_UNKNOWN = """severity_number event_name body scope_name scope_version trace_id span_id run_id session_id tenant environment release
agent_name agent_id
agent_version actor action resource outcome reason_code tool_name decision policy_version approver approval_state provider model
policy_hash"""
NOTHING: dict[str, Any] = dict.fromkeys(_UNKNOWN.split())
ROW = NOTHING | {
    "record_id": "node/collector/7/3", "origin": "node/collector", "entry": 7, "entry_row": 3, "time_ns": 1_795_262_400_123_456_789,
    "received_ns": 1_795_262_401_000_000_000, "attributes": {}, "resource_attributes": {},
}  # fmt: skip
ACTION = ROW | {
    "event_name": "agent_action", "action": "refund.create", "resource": "order-81", "outcome": "success", "actor": "user-7",
    "agent_name": "support", "agent_id": "agent-1", "run_id": "run-1",
    "model": "gpt-5", "provider": "openai", "severity_number": 9, "tenant": "acme",
    "attributes": {"client.address": "192.0.2.7", "auditlake.action": "refund.create"}, "body": "refunded",
}  # fmt: skip
READ = ROW | {
    "event_name": "lake.read", "action": "query", "scope_name": "auditlake.access", "outcome": "failure", "reason_code": "refused",
    "actor": "ada", "agent_name": "auditlake", "attributes": {"client.address": "laptop"}, "severity_number": 13,
}  # fmt: skip


def test_an_agents_action_is_api_activity_of_an_ai_agent() -> None:
    event = ocsf_event(ACTION, software="1.0")
    assert (event["class_uid"], event["category_uid"], event["activity_id"], event["type_uid"]) == (6003, 6, 1, 600301)
    assert (event["time"], event["severity_id"], event["status_id"], event["message"]) == (1_795_262_400_123, 1, 1, "refunded")
    assert event["actor"] == {"user": {"uid": "user-7"}, "application": {"name": "support"}}
    assert (event["api"], event["src_endpoint"]) == ({"operation": "refund.create"}, {"ip": "192.0.2.7"})
    assert event["resources"] == [{"name": "order-81"}]
    model = {"name": "gpt-5", "ai_provider": "openai"}
    assert event["ai_agent"] == {"uid": "agent-1", "name": "support", "instance_uid": "run-1", "ai_model": model, "type_id": 0}
    metadata = event["metadata"]
    assert (metadata["version"], metadata["uid"], metadata["tenant_uid"]) == ("1.9.0", "node/collector/7/3", "acme")
    assert metadata["profiles"] == ["record_integrity", "ai_operation"]
    assert event["unmapped"]["ledger"] == {"origin": "node/collector", "entry": 7, "entry_row": 3}
    assert event["unmapped"]["time_ns"] == "1795262400123456789"


def test_what_auditlake_did_itself_is_nobodys_agent() -> None:
    event = ocsf_event(READ, software="1.0")
    assert "ai_agent" not in event
    assert event["metadata"]["profiles"] == ["record_integrity"]
    assert (event["activity_id"], event["status_id"], event["status_detail"], event["severity_id"]) == (2, 2, "refused", 3)
    assert event["src_endpoint"] == {"name": "laptop"}


@pytest.mark.parametrize(
    ("action", "activity"),
    [("order.read", 2), ("delete_user", 4), ("config.changed", 3), ("send email", 1), ("frobnicate", 99), ("vault.destroy", 4)],
)
def test_the_verb_of_an_action_is_the_activity(action: str, activity: int) -> None:
    event = ocsf_event(ROW | {"action": action}, software="1.0")
    assert (event["activity_id"], event["type_uid"]) == (activity, 600300 + activity)
    assert event["activity_name"] == (action if activity == 99 else ACTIVITIES[activity])


def test_a_decision_is_an_authorization_of_the_actor() -> None:
    event = ocsf_event(ROW | {"event_name": "policy.decision", "decision": "deny", "policy_version": "7"}, software="1.0")
    assert event["actor"]["authorizations"] == [{"decision": "deny"}]
    assert (event["status_id"], event["unmapped"]["policy_version"]) == (2, "7")


@pytest.mark.parametrize("row", [ROW, ACTION, READ])
def test_what_the_class_requires_is_never_missing(row: dict[str, Any]) -> None:
    """Required in base_event and api_activity of OCSF 1.9.0, and one of those that an actor and an endpoint need."""
    event = ocsf_event(row, software="1.0")
    required = {"activity_id", "category_uid", "class_uid", "type_uid", "severity_id", "time", "metadata", "actor", "api", "src_endpoint"}
    assert required <= event.keys()
    assert {"product", "version"} <= event["metadata"].keys()
    assert event["api"]["operation"]
    assert {"user", "application"} & event["actor"].keys()
    assert {"ip", "name"} & event["src_endpoint"].keys()


def chain() -> list[Event]:
    rows = [ROW | {"record_id": f"node/collector/1/{number}", "entry_row": number} for number in range(3)]
    return list(ocsf_events(rows, software="1.0", chain="c", authority="key"))


def holds(events: list[Event]) -> bool:
    """What a verifier of the profile checks."""
    for event, before in zip(events, [None, *events], strict=False):
        (attestation,) = event["attestation_list"]
        if attestation["fingerprint"] != fingerprint(event):
            return False
        if before is not None and attestation["prev_event"]["fingerprint"] != before["attestation_list"][0]["fingerprint"]:
            return False
    return True


def test_a_chain_in_which_anything_changed_is_found() -> None:
    events = chain()
    assert holds(events)
    assert "prev_event" not in events[0]["attestation_list"][0]
    assert events[1]["attestation_list"][0]["prev_event"]["uid"] == "node/collector/1/0"
    assert not holds([events[0], events[2]])
    changed = copy.deepcopy(events)
    changed[1]["time"] += 1
    assert not holds(changed)
    renamed = copy.deepcopy(events)
    renamed[1]["attestation_list"][0]["chain_uid"] = "d"
    assert not holds(renamed)
    put_right = copy.deepcopy(changed)
    put_right[1]["attestation_list"][0]["fingerprint"] = fingerprint(put_right[1])
    assert not holds(put_right)  # the next one names the old fingerprint


def test_the_fingerprint_is_over_the_form_of_rfc_8785() -> None:
    event = {"metadata": {"uid": "u"}, "b": 1, "a": "é\n", "\U0001f600": 1, "\ufb33": 2}
    form = jcs(event)
    assert form == '{"a":"é\\n","b":1,"metadata":{"uid":"u"},"\U0001f600":1,"\ufb33":2}'.encode()  # by UTF-16, section 3.2.3
    whole = attested(event, None, chain="c")
    stated = {**event, "attestation_list": [{"uid": "c/u", "chain_uid": "c"}]}
    assert whole["attestation_list"][0]["fingerprint"]["value"] == hashlib.sha256(jcs(stated)).hexdigest()


@pytest.mark.parametrize("value", [1.5, 2**53, [float("nan")]])
def test_numbers_that_readers_round_have_no_form(value: object) -> None:
    with pytest.raises(ValueError, match="safe integer"):
        jcs({"a": value})


@given(text=st.text())
def test_texts_are_escaped_as_rfc_8785_says(text: str) -> None:
    form = jcs(text.encode("utf-8", "replace").decode()).decode()
    short = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
    expected = [short.get(sign) or (f"\\u{ord(sign):04x}" if ord(sign) < 32 else sign) for sign in text.encode("utf-8", "replace").decode()]
    assert form == f'"{"".join(expected)}"'
