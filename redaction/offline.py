"""No network for detection: models are where the operator has put them, and texts go nowhere.

Libraries of models look for newer files on the internet whenever they load one. They are told not to before they are imported, and in
a scanner process, which needs no network for anything, every attempt to reach one fails.
"""

import os
import sys
from typing import Any, Final

from redaction.errors import RedactionError

_SETTINGS: Final = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
_CALLS: Final = frozenset(
    {"socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname"}
)


def forbid_downloads() -> None:
    """Tell the libraries that load models to use what is on this machine; before they are imported."""
    os.environ.update(_SETTINGS)


def forbid_network() -> None:
    """Make every later use of the network in this process fail, for good."""
    sys.addaudithook(_refuse)


def _refuse(event: str, _arguments: tuple[Any, ...]) -> None:
    if event in _CALLS:
        raise RedactionError("use the network in a scanner process", event, hint="detection works with what is on this machine")
