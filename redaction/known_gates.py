"""Which compiled prefilter belongs to a policy, remembered beside the prefilters, so that a short-lived process finds it without Presidio.

A prefilter is named after the recognizers' conditions, and only Presidio knows those. What stands here is named after the policy and
after everything else that conditions are made of: the code of this package, Presidio, the libraries that compile. When any of that
changes, the name is another one, and a process that needs the prefilter makes it anew.
"""

import contextlib
import hashlib
import os
import re
import secrets
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from redaction.policy import RedactionConfig, policy_hash

_IDENTITY: Final = re.compile(r"[0-9a-f]{24}")
_MADE_BY: Final = ("presidio-analyzer", "phonenumbers", "regex", "hyperscan")


def remember(config: RedactionConfig, folder: Path, identity: str) -> None:
    """Keep which prefilter of `folder` is the one of this policy; a folder that cannot be written costs time later, no more."""
    path = _path(config, folder)
    with contextlib.suppress(OSError):
        if not path.exists():
            temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
            temporary.write_text(identity, encoding="ascii")
            temporary.replace(path)


def recalled(config: RedactionConfig, folder: Path) -> bytes | None:
    """Return the prefilter of this policy as it was kept, None when there is none (any more). It is sealed: who loads it checks it."""
    try:
        identity = _path(config, folder).read_text(encoding="ascii")
        return (folder / f"prefilter-{identity}").read_bytes() if _IDENTITY.fullmatch(identity) else None
    except (OSError, UnicodeDecodeError):
        return None


def _path(config: RedactionConfig, folder: Path) -> Path:
    return folder / f"policy-{hashlib.sha256(f'{policy_hash(config)} {installation()}'.encode()).hexdigest()[:24]}"


def installation() -> str:
    """Return what tells this installation's code from every other one: the files of this package as they stand, and versions."""
    package = Path(__file__).parent
    stated = [(path.relative_to(package), path.stat()) for path in sorted(package.rglob("*.py"))]
    files = [f"{path} {status.st_size} {status.st_mtime_ns}" for path, status in stated]
    return " ".join((*files, *(_version(name) for name in _MADE_BY), os.uname().machine))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
