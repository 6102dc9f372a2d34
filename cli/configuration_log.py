"""A process that starts with another configuration than it had last says so in the lake: `config.changed`, with both hashes.

What changes while it runs is told by the process itself (`config.reload` of the collector, `rules.reload` of the alerts). The event
holds names and hashes of ours alone, so there is nothing in it to redact.
"""

import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collector.config import Config


def tell_configuration(config: "Config", data: Path, process: str, *, files: Sequence[Path] = (), creates: bool = False) -> None:
    """Record a change since the last start of `process` ("collector", "alerts"), durably. Raises `StorageError`.

    The first start of a process changes nothing; one in a lake whose last configuration nobody remembers does. `creates`: the process
    makes the data directory.
    """
    from collector.config_hash import FOLDER, config_hash, remember, remembered
    from collector.node import node_name
    from redaction.policy import policy_hash
    from storage.journal import Journal, JournalEvent

    old, new = remembered(data, process), config_hash(config, files)
    if old == new or not (creates or data.is_dir()):
        return
    if old is not None or ((data / "catalog.sqlite").exists() and not (data / FOLDER).is_dir()):
        origin = f"{config.parquet.node or node_name(socket.gethostname())}/access"
        told = {"auditlake.action": "config.change", "auditlake.resource": process, "auditlake.outcome": "success"}
        hashes = {"auditlake.config.hash.new": new, **({} if old is None else {"auditlake.config.hash.old": old})}
        event = JournalEvent(name="config.changed", time_ns=time.time_ns(), attributes=told | hashes)
        Journal(data, origin, lambda items: [text for text, _ in items], policy_hash(config.redaction), time.time_ns).write([event])
    remember(data, process, new)
