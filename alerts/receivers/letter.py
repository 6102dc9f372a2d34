"""A notification as an e-mail: a subject, a text, and the same as HTML, which holds no script, no image and nothing that is loaded."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256
from html import escape
from typing import Any, Final

from alerts.receivers.wording import FIRING, MOST_TOLD, RESOLVED, Told, is_link, shortened, sorted_pairs, subject, text_lines, told

MOST_SUBJECT_CHARS: Final = 200
COLOURS: Final = {FIRING: "#b42318", RESOLVED: "#067647"}


def letter(
    payload: Mapping[str, Any], *, sender: str, recipients: str, key: str, at: datetime, headers: Mapping[str, str] | None = None
) -> EmailMessage:
    """Return the message. `Message-ID` is made of the key, so that one which is sent again is known to be the same; those of a group
    refer to each other, so that mail readers show them as one thread."""
    message = EmailMessage(policy=SMTP.clone(max_line_length=78))
    host = sender.rpartition("@")[2].strip("> ") or "auditlake"
    standard = {
        "Subject": shortened(_one_line(subject(payload)), MOST_SUBJECT_CHARS),
        "From": sender,
        "To": recipients,
        "Date": format_datetime(at),
        "Message-ID": f"<{key}@{host}>",
        "References": f"<{sha256(payload['groupKey'].encode()).hexdigest()[:32]}.group@{host}>",
        "Auto-Submitted": "auto-generated",  # RFC 3834: nobody's absence notice answers it
    }
    own = {name.lower() for name in headers or {}}
    for name, text in [*((name, text) for name, text in standard.items() if name.lower() not in own), *(headers or {}).items()]:
        message[name] = text
    message.set_content("\n".join([*text_lines(payload), payload["externalURL"]]) + "\n")
    message.add_alternative(html(payload), subtype="html")
    return message


def html(payload: Mapping[str, Any]) -> str:
    """Return the HTML part; every text in it is escaped."""
    title = escape(subject(payload))
    parts = [
        "<!DOCTYPE html>",
        f'<html><head><meta charset="utf-8"><title>{title}</title></head>',
        '<body style="font-family:sans-serif;font-size:14px;color:#1d2939;margin:0;padding:16px">',
        f'<h1 style="font-size:18px;color:{COLOURS.get(payload["status"], "#1d2939")}">{title}</h1>',
        *_section(payload, FIRING),
        *_section(payload, RESOLVED),
        f'<p style="color:#667085">Sent by {_link(payload["externalURL"], "auditlake")}</p>',
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _section(payload: Mapping[str, Any], status: str) -> Iterator[str]:
    alerts = told(payload, status)
    if alerts:
        yield f'<h2 style="font-size:15px;color:{COLOURS[status]}">{len(alerts)} {status}</h2>'
    for alert in alerts[:MOST_TOLD]:
        yield from _alert(alert)
    if len(alerts) > MOST_TOLD:
        yield f"<p>and {len(alerts) - MOST_TOLD} more</p>"


def _alert(alert: Told) -> Iterator[str]:
    yield f'<p style="margin:16px 0 4px"><strong>{_link(alert.link, alert.headline)}</strong><br>since {escape(alert.since)}</p>'
    yield '<table style="border-collapse:collapse">'
    rows = [*sorted_pairs(alert.labels), *sorted(alert.annotations.items())]
    if alert.runbook:
        rows.append(("runbook", alert.runbook))
    for name, text in rows:
        shown = _link(text, text) if is_link(text) else escape(text)
        cell = '<td style="padding:2px 12px 2px 0;vertical-align:top'
        yield f'<tr>{cell};color:#667085">{escape(name)}</td>{cell}">{shown}</td></tr>'
    yield "</table>"


def _link(url: str, text: str) -> str:
    return f'<a href="{escape(url)}">{escape(text)}</a>' if is_link(url) else escape(text)


def _one_line(text: str) -> str:
    """Return a text without line breaks and control characters: it becomes a header."""
    return "".join(character if character.isprintable() else " " for character in text)
