"""Secrets of receivers: texts that came from the environment, or files that are read for each notification, so that they can rotate."""

from dataclasses import dataclass
from pathlib import Path

from alerts.errors import DeliveryFailed


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file whose content, without white space around it, is the secret."""

    path: Path


Secret = str | SecretFile
"""The secret itself, or where it stands."""


def secret_text(secret: Secret, receiver: str) -> str:
    """Return the secret; raises DeliveryFailed when its file cannot be read or is empty, which may pass."""
    if isinstance(secret, str):
        return secret
    try:
        text = secret.path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    if not text:
        raise DeliveryFailed(receiver, f"{secret.path.name} cannot be read or is empty", retryable=True)
    return text
