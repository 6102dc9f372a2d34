"""Credentials for tests: made at run time, so that none stands in a file, and the same in every process, as names of tests hold them."""

import base64
import hashlib


def made_token(name: str, size: int = 24) -> str:
    """Return a token of `size` bytes, URL-safe base64, that is always the same for `name`."""
    return base64.urlsafe_b64encode(hashlib.sha256(name.encode()).digest()[:size]).decode().rstrip("=")
