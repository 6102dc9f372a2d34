"""Slack: one message with an attachment, by an incoming webhook or chat.postMessage, laid out as Alertmanager does.

Slack may answer 200 and refuse all the same: an incoming webhook took the message only when it says `ok`, the Web API only with
`"ok": true`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from alerts.errors import DeliveryFailed
from alerts.outbox import Message
from alerts.receivers.http import Http
from alerts.receivers.integration import Named, payloads
from alerts.receivers.secret import Secret
from alerts.receivers.wording import FIRING, RESOLVED, Told, is_link, shortened, sorted_pairs, subject, told

MOST_TITLE_CHARS: Final = 1024
MOST_TEXT_CHARS: Final = 3000
MOST_ALERTS: Final = 10
"""Of each state; more are counted."""
MAY_PASS: Final = frozenset({"ratelimited", "rate_limited", "internal_error", "fatal_error", "request_timeout", "service_unavailable"})
REFUSALS: Final = MAY_PASS | frozenset(
    {
        *("account_inactive", "action_prohibited", "channel_is_archived", "channel_not_found", "invalid_auth", "invalid_payload"),
        *("is_archived", "missing_scope", "msg_too_long", "no_service", "no_text", "not_authed", "not_in_channel"),
        *("restricted_action", "token_expired", "token_revoked"),
    }
)
"""Errors that are repeated in our messages; others are only called a refusal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackReceiver(Named):
    """Posts to the URL of an incoming webhook, which is a secret, or to chat.postMessage with a token in `http.authorization`."""

    url: Secret = field(repr=False)
    channel: str | None = None
    username: str | None = None
    icon_emoji: str | None = None
    icon_url: str | None = None
    link_names: bool = False
    http: Http = field(default_factory=Http)

    def send(self, messages: Sequence[Message]) -> None:
        """Post each message; raises DeliveryFailed."""
        for message, payload in payloads(messages):
            answer = self.http.post(self.name, self.url, json.dumps(self._body(payload)).encode(), key=message.key)
            if error := _refusal(answer):
                raise DeliveryFailed(self.name, f"Slack says {error}", retryable=error in MAY_PASS)

    def _body(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        chosen = {"channel": self.channel, "username": self.username, "icon_emoji": self.icon_emoji, "icon_url": self.icon_url}
        body: dict[str, Any] = {name: text for name, text in chosen.items() if text}
        if self.link_names:
            body["link_names"] = True
        return {**body, "attachments": [_attachment(payload)]}


def _attachment(payload: Mapping[str, Any]) -> dict[str, Any]:
    title = shortened(subject(payload), MOST_TITLE_CHARS)
    home = payload["externalURL"]
    return {
        "color": "danger" if payload["status"] == FIRING else "good",
        "title": escaped(title),
        "title_link": home,
        "text": _text(payload),
        "fallback": f"{escaped(title)} | {home}",
        "footer": "auditlake",
        "mrkdwn_in": ["text"],
    }


def _text(payload: Mapping[str, Any]) -> str:
    """Return the alerts that fit, whole ones only, so that no link is cut."""
    lines: list[str] = []
    room = MOST_TEXT_CHARS
    for status in (FIRING, RESOLVED):
        alerts = told(payload, status)
        shown = 0
        for alert in alerts[:MOST_ALERTS]:
            block = "\n".join(_alert(alert))
            if len(block) > room:
                break
            lines.append(block)
            room -= len(block) + 1
            shown += 1
        if shown < len(alerts):
            lines.append(f"and {len(alerts) - shown} more {status}")
    return "\n".join(lines)


def _alert(alert: Told) -> Iterator[str]:
    mark = "" if alert.status == FIRING else "resolved: "
    yield f"{mark}*{linked(alert.link, shortened(alert.headline, 300))}*"
    yield " ".join(f"`{escaped(name)}={escaped(shortened(text, 100))}`" for name, text in sorted_pairs(alert.labels))
    for name, text in sorted(alert.annotations.items()):
        yield f"{escaped(name)}: {escaped(shortened(text, 500))}"
    if alert.runbook:
        yield linked(alert.runbook, "runbook") if is_link(alert.runbook) else f"runbook: {escaped(alert.runbook)}"


def escaped(text: str) -> str:
    """Return text in which Slack finds no mention, channel or link (its three control characters)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def linked(url: str, text: str) -> str:
    """Return a link of Slack's mrkdwn."""
    address = url.replace("|", "%7C").replace("<", "%3C").replace(">", "%3E")
    return f"<{address}|{escaped(text).replace('|', '/')}>"


def _refusal(answer: httpx.Response) -> str | None:
    """Return what is wrong when Slack did not take a message that it answered with 2xx."""
    if answer.headers.get("content-type", "").startswith("application/json"):
        try:
            said = answer.json()
        except ValueError:
            return "something that is no JSON"
        if isinstance(said, dict) and said.get("ok") is True:
            return None
        error = said.get("error") if isinstance(said, dict) else None
        return str(error) if error in REFUSALS else "no"
    text = answer.text.strip()
    return None if text == "ok" else text if text in REFUSALS else "no"
