"""Audit events as OCSF 1.9 (schema.ocsf.io), for SIEMs: class API Activity, profiles `ai_operation` and `record_integrity`.

docs/bundle.md, "OCSF", has the mapping. The attestation of an event is the SHA-256 of its JSON in the form of RFC 8785 (JCS), with a
reference to the event before it: what an export lacks or has otherwise in the middle is found. OCSF 1.9 has no attribute for the bytes of
a signature; the record itself stands in the ledger, where `auditlake prove` with `metadata.uid` has its proof.
"""

import hashlib
import ipaddress
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

Event = dict[str, Any]
Row = Mapping[str, Any]

VERSION: Final = "1.9.0"
CLASS: Final = 6003  # API Activity
CATEGORY: Final = 6  # Application Activity
OTHER: Final = 99
ACTIVITIES: Final = {1: "Create", 2: "Read", 3: "Update", 4: "Delete", OTHER: "Other"}
_VERBS: Final = {
    "create": 1, "add": 1, "insert": 1, "open": 1, "opened": 1, "issue": 1, "send": 1, "start": 1, "requested": 1,
    "read": 2, "get": 2, "list": 2, "query": 2, "search": 2, "view": 2, "export": 2, "reveal": 2, "run": 2, "runs": 2, "lookup": 2,
    "update": 3, "write": 3, "set": 3, "change": 3, "changed": 3, "reload": 3, "rotate": 3, "rotation": 3, "rederive": 3, "apply": 3,
    "release": 3, "transition": 3, "rollout": 3, "grant": 3, "approve": 3,
    "delete": 4, "remove": 4, "destroy": 4, "erase": 4, "drop": 4, "dropped": 4, "cancel": 4, "revoke": 4,
}  # fmt: skip
"""Verbs in the name of an action or event → OCSF's activity."""
_OUTCOMES: Final = {
    "success": (1, "Success"), "ok": (1, "Success"), "allowed": (1, "Success"), "allow": (1, "Success"), "granted": (1, "Success"),
    "failure": (2, "Failure"), "error": (2, "Failure"), "denied": (2, "Failure"), "deny": (2, "Failure"), "blocked": (2, "Failure"),
    "expired": (2, "Failure"),
}  # fmt: skip
_JCS: Final = {"serialization_id": 2, "serialization": "JCS"}
_SAFE: Final = 2**53 - 1
_OWN: Final = "auditlake."


def ocsf_events(rows: Iterable[Row], *, software: str, chain: str, authority: str | None = None) -> Iterator[Event]:
    """Yield rows of the query `ocsf_events` as OCSF events, each attested and bound to the one before.

    `software` is the version of auditlake, `chain` identifies this export, `authority` who vouches for it.
    """
    before: Event | None = None
    for row in rows:
        event = attested(ocsf_event(row, software=software), before, chain=chain, authority=authority)
        yield event
        before = event


def ocsf_event(row: Row, *, software: str) -> Event:
    """Return one row as an OCSF event without attestation; what is unknown is left out. Maps are dictionaries or lists of pairs."""
    activity, name = _activity(row)
    status = _OUTCOMES.get(str(_outcome(row)).lower())
    agent = _agent(row)
    return _known({
        "class_uid": CLASS,
        "class_name": "API Activity",
        "category_uid": CATEGORY,
        "category_name": "Application Activity",
        "activity_id": activity,
        "activity_name": name,
        "type_uid": CLASS * 100 + activity,
        "type_name": f"API Activity: {ACTIVITIES[activity]}",
        "time": row["time_ns"] // 1_000_000,
        **_severity(row["severity_number"]),
        "status_id": status[0] if status else (OTHER if _outcome(row) else 0),
        "status": status[1] if status else _outcome(row) or "Unknown",
        "status_detail": row["reason_code"],
        "message": row["body"],
        "metadata": _metadata(row, software, profiles=["record_integrity", *(["ai_operation"] if agent else [])]),
        "actor": _actor(row),
        "api": _known({"operation": row["action"] or row["event_name"] or "unknown", "service": _named(row["scope_name"])}),
        "src_endpoint": _source(row),
        "resources": [{"name": row["resource"]}] if row["resource"] else None,
        "ai_agent": agent,
        "unmapped": _unmapped(row),
    })  # fmt: skip


def attested(event: Event, before: Event | None, *, chain: str, authority: str | None = None) -> Event:
    """Return an event with its attestation, which names the event `before` (OCSF profile record_integrity)."""
    attestation = _known({"uid": f"{chain}/{event['metadata']['uid']}", "authority_uid": authority, "chain_uid": chain})
    if before is not None:
        told = {"uid": before["metadata"]["uid"], "type_uid": before["type_uid"]}
        attestation["prev_event"] = {**told, "fingerprint": before["attestation_list"][0]["fingerprint"]}
    stated = {**event, "attestation_list": [attestation]}
    return {**event, "attestation_list": [{**attestation, "fingerprint": fingerprint(stated)}]}


def fingerprint(event: Event) -> Event:
    """Return the fingerprint of an event, of everything but the fingerprint and signatures of its attestation."""
    listed = [{name: each[name] for name in each if name not in {"fingerprint", "signatures"}} for each in event["attestation_list"]]
    digest = hashlib.sha256(jcs({**event, "attestation_list": listed})).hexdigest()
    return {"algorithm_id": 3, "algorithm": "SHA-256", "value": digest, **_JCS}


def jcs(value: Any) -> bytes:
    """Return JSON in the canonical form of RFC 8785. Numbers are integers that a double holds: anything else is ValueError."""
    return json.dumps(_ordered(value), ensure_ascii=False, separators=(",", ":")).encode()


def _ordered(value: Any) -> Any:
    """Names in the order of their UTF-16 code units (RFC 8785, section 3.2.3)."""
    if isinstance(value, dict):
        return {name: _ordered(value[name]) for name in sorted(value, key=lambda name: name.encode("utf-16-be"))}
    if isinstance(value, list):
        return [_ordered(each) for each in value]
    if isinstance(value, float) or (isinstance(value, int) and abs(value) > _SAFE):
        raise ValueError("a number that is no safe integer")
    return value


def _activity(row: Row) -> tuple[int, str]:
    """OCSF's activity: by the verb of the action, else of the event's name."""
    for text in (row["action"], row["event_name"]):
        for word in reversed(re.findall("[a-z]+", (text or "").lower())):
            if word in _VERBS:
                return _VERBS[word], ACTIVITIES[_VERBS[word]]
    return OTHER, row["action"] or row["event_name"] or ACTIVITIES[OTHER]


def _outcome(row: Row) -> str | None:
    found: str | None = row["outcome"] or row["decision"] or row["approval_state"]
    return found


def _severity(number: int | None) -> Event:
    """OpenTelemetry's number as OCSF's (informational, medium, high, critical)."""
    scale = ((21, 5, "Critical"), (17, 4, "High"), (13, 3, "Medium"), (1, 1, "Informational"))
    severity, name = next(((each, name) for least, each, name in scale if (number or 0) >= least), (0, "Unknown"))
    return {"severity_id": severity, "severity": name}


def _metadata(row: Row, software: str, *, profiles: list[str]) -> Event:
    return _known({
        "version": VERSION,
        "product": {"name": "auditlake", "vendor_name": "auditlake", "version": software},
        "profiles": profiles,
        "uid": row["record_id"],
        "event_code": row["event_name"],
        "log_provider": row["origin"],
        "logged_time": row["received_ns"] // 1_000_000,
        "tenant_uid": row["tenant"],
        "correlation_uid": row["run_id"],
    })  # fmt: skip


def _actor(row: Row) -> Event:
    """The user, and the application that acted; of a decision, what was decided."""
    user = row["actor"] or row["approver"]
    application = row["agent_name"] or dict(row["resource_attributes"] or ()).get("service.name") or row["scope_name"]
    return _known({
        "user": {"uid": user} if user else None,
        "application": {"name": application} if application else (None if user else {"name": "unknown"}),
        "session": {"uid": row["session_id"]} if row["session_id"] else None,
        "authorizations": [{"decision": row["decision"]}] if row["decision"] else None,
    })  # fmt: skip


def _source(row: Row) -> Event:
    """Where it came from: the client's address, else the host or service that told of it."""
    attributes, resource = dict(row["attributes"] or ()), dict(row["resource_attributes"] or ())
    address = attributes.get("client.address")
    if address:
        try:
            return {"ip": str(ipaddress.ip_address(address))}
        except ValueError:
            return {"name": address}
    return {"name": resource.get("host.name") or resource.get("service.name") or row["agent_name"] or row["origin"]}


def _agent(row: Row) -> Event | None:
    """The AI agent that did it; what our own processes did is nobody's agent."""
    uid = row["agent_id"] or row["agent_name"]
    if not uid or (row["scope_name"] or "").startswith(_OWN):
        return None
    model = {"name": row["model"], "ai_provider": row["provider"] or "unknown"} if row["model"] else None
    instance = row["run_id"] or row["session_id"]
    said = {"uid": uid, "name": row["agent_name"], "version": row["agent_version"], "instance_uid": instance, "ai_model": model}
    return _known({**said, "type_id": 0})


def _unmapped(row: Row) -> Event:
    """What OCSF has no place for, and where the record stands in the ledger."""
    ledger = {"origin": row["origin"], "entry": row["entry"], "entry_row": row["entry_row"], "policy_hash": row["policy_hash"]}
    names = ("trace_id", "span_id", "tool_name", "environment", "release", "policy_version", "approver", "approval_state")
    told = {name: row[name] for name in names} | {"attributes": dict(row["attributes"] or ()), "ledger": _known(ledger)}
    return _known({**told, "time_ns": str(row["time_ns"])})


def _named(name: str | None) -> Event | None:
    return {"name": name} if name else None


def _known(values: Event) -> Event:
    return {name: value for name, value in values.items() if value is not None and value != {}}
