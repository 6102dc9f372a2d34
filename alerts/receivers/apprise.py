"""Any service that Apprise knows, by its URL: `discord://…`, `msteams://…`, `ntfy://…`, more than a hundred others.

Apprise says whether a service took the message, not why it did not: a failure counts as one that may pass.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from alerts.errors import DeliveryFailed
from alerts.outbox import Message
from alerts.receivers.attempt import within
from alerts.receivers.integration import Named, payloads
from alerts.receivers.secret import Secret, secret_text
from alerts.receivers.wording import FIRING, subject, text_lines

DEFAULT_TIMEOUT_SECONDS: Final = 30.0
MOST_ALERTS: Final = 20
CRITICAL: Final = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppriseReceiver(Named):
    """Sends plain text to the service of a URL, which is a secret as a whole."""

    url: Secret = field(repr=False)
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS

    def send(self, messages: Sequence[Message]) -> None:
        """Send each message; raises DeliveryFailed. A URL that no service recognises is final."""
        for _, payload in payloads(messages):
            url = secret_text(self.url, self.name)
            try:
                taken = within(self.timeout_seconds, partial(self._notify, url, payload))
            except TimeoutError:
                raise DeliveryFailed(self.name, "TimeoutError", retryable=True) from None
            if not taken:
                raise DeliveryFailed(self.name, "the service did not take it", retryable=True)

    def _notify(self, url: str, payload: Mapping[str, Any]) -> bool:
        service = instantiated(url)
        if service is None:
            raise DeliveryFailed(self.name, "Apprise knows no service for this URL", retryable=False)
        body = "\n".join(text_lines(payload, most=MOST_ALERTS)).strip()
        return bool(service.notify(body=body, title=subject(payload), notify_type=_kind(payload), body_format="text"))


def instantiated(url: str) -> Any:
    """Return Apprise with the service of a URL, or None when no service recognises it. Nothing is sent, and nothing is kept on disk."""
    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # it would log what it sends
    asset = apprise.AppriseAsset(app_id="auditlake", app_desc="alerts of auditlake", storage_mode="memory", secure_logging=True)
    notifier = apprise.Apprise(asset=asset)
    return notifier if notifier.add(url) else None


def _kind(payload: Mapping[str, Any]) -> str:
    """Return Apprise's type of a notification, which services show as a colour or an icon."""
    if payload["status"] != FIRING:
        return "success"
    return "failure" if payload["commonLabels"].get("severity") == CRITICAL else "warning"
