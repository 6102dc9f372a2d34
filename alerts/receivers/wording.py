"""A notification in words, for people: a subject, a text, and the parts that Slack and e-mail lay out in their own way."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

FIRING: Final = "firing"
RESOLVED: Final = "resolved"
MOST_TOLD: Final = 50
"""More alerts are counted, not told: nobody reads them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One alert: a headline, since when, its labels, the annotations that are left, and where to look."""

    status: str
    headline: str
    since: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    link: str
    runbook: str | None


def subject(payload: Mapping[str, Any]) -> str:
    """Return the title that Alertmanager's templates give: `[FIRING:2] AgentDown (support critical)`."""
    status, firing = payload["status"], len(told(payload, FIRING))
    count = f":{firing}" if status == FIRING else ""
    group = payload["groupLabels"]
    others = {name: text for name, text in payload["commonLabels"].items() if name not in group}
    parts = [f"[{status.upper()}{count}]", *sorted_values(group)]
    return " ".join(parts) + (f" ({' '.join(sorted_values(others))})" if others else "")


def sorted_values(labels: Mapping[str, str]) -> list[str]:
    """Return values in the order of their names, the alert's name first."""
    return [text for _, text in sorted_pairs(labels)]


def sorted_pairs(labels: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return labels in the order of their names, the alert's name first."""
    return sorted(labels.items(), key=lambda pair: (pair[0] != "alertname", pair[0]))


def told(payload: Mapping[str, Any], status: str) -> list[Told]:
    """Return the alerts of a status, in the order of the message."""
    return [_told(alert) for alert in payload["alerts"] if alert["status"] == status]


def text_lines(payload: Mapping[str, Any], *, most: int = MOST_TOLD) -> Iterator[str]:
    """Yield the message as plain text, a line at a time."""
    for status in (FIRING, RESOLVED):
        alerts = told(payload, status)
        if alerts:
            yield f"{len(alerts)} {status}"
            yield ""
        yield from _alerts_text(alerts, most)


def instances(alerts: Sequence[Told], *, most: int = MOST_TOLD) -> str:
    """Return alerts as plain text."""
    return "\n".join(_alerts_text(alerts, most)).strip()


def _alerts_text(alerts: Sequence[Told], most: int) -> Iterator[str]:
    for alert in alerts[:most]:
        yield alert.headline
        yield f"  since {alert.since}"
        for name, text in [*sorted_pairs(alert.labels), *sorted(alert.annotations.items())]:
            yield f"  {name} = {text}"
        if alert.runbook:
            yield f"  runbook: {alert.runbook}"
        yield f"  {alert.link}"
        yield ""
    if len(alerts) > most:
        yield f"and {len(alerts) - most} more"
        yield ""


def _told(alert: Mapping[str, Any]) -> Told:
    annotations = dict(alert["annotations"])
    summary = annotations.pop("summary", "")
    runbook = annotations.pop("runbook", None)
    runbook = annotations.pop("runbook_url", runbook)
    return Told(
        status=alert["status"],
        headline=summary or alert["labels"].get("alertname", ""),
        since=alert["startsAt"],
        labels=alert["labels"],
        annotations=annotations,
        link=alert["generatorURL"],
        runbook=runbook,
    )


def is_link(text: str) -> bool:
    """Say whether a text is a web address, which may be shown as a link."""
    return text.startswith(("https://", "http://")) and not any(character.isspace() for character in text)


def shortened(text: str, most: int) -> str:
    """Return a text of at most so many characters; where it was longer, it ends in an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
