"""Where checkpoints go: each target publishes the newest checkpoint of one log, its own way."""

import secrets
from pathlib import Path
from typing import Final, Protocol

from collector.anchoring.http import AuthorityClient, WitnessClient
from collector.config_anchors import AnchorConfig, TimestampAuthorityConfig, WitnessConfig
from collector.config_ledger import LedgerConfig
from storage.ledger.anchors import Anchor
from storage.ledger.cosigning import push
from storage.ledger.errors import LedgerError
from storage.ledger.keys import known_keys
from storage.ledger.log import Log
from storage.ledger.note import VerifierKey, opened
from storage.ledger.stamping import stamp
from storage.ledger.timestamp import load_roots

NONCE_BITS: Final = 63


class Target(Protocol):
    """One place outside of this host."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def interval_seconds(self) -> float: ...

    def publish(self, log: Log, note: str) -> None:
        """Make the newest checkpoint of a log, `note`, known there. Raises `LedgerError`."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


class Copies:
    """A second location."""

    kind = "copy"

    def __init__(self, config: AnchorConfig, data: Path) -> None:
        self._data = data
        self._anchor = Anchor(config.path)
        self.name = self._anchor.name
        self.interval_seconds = config.interval

    def publish(self, log: Log, note: str) -> None:
        """Write a copy of the checkpoint, under the time at which it was signed."""
        try:
            keys = [key.cosigner for key in map(VerifierKey.parse, known_keys(self._data)) if key.name == log.origin]
            time_s = max(opened(note, keys).times.values())
        except LedgerError:
            hint = "no key in ledger/keys.txt cosigned its checkpoint: `auditlake verify` says more"
            raise LedgerError("copy a checkpoint to the second location", log.origin, hint=hint) from None
        self._anchor.publish(log.origin, note, time_s=time_s)

    def close(self) -> None:
        """Nothing is held."""


class Cosignatures:
    """A witness."""

    kind = "witness"

    def __init__(self, config: WitnessConfig) -> None:
        self._key = VerifierKey.parse(config.key)
        self.name = self._key.name
        self.interval_seconds = config.interval
        self._post = WitnessClient(config.url, self.name, tls=config.tls, headers=config.headers)

    def publish(self, log: Log, note: str) -> None:
        """Have the checkpoint cosigned, and keep the note."""
        del note  # a newer one is as good
        push(log, self._key, self._post)

    def close(self) -> None:
        """Close the connection."""
        self._post.close()


class Timestamps:
    """A time-stamping authority."""

    kind = "timestamp"

    def __init__(self, config: TimestampAuthorityConfig) -> None:
        self._ca_file = config.ca_file
        self.interval_seconds = config.interval
        self._ask = AuthorityClient(config.url, tls=config.tls, headers=config.headers)
        self.name = self._ask.host

    def publish(self, log: Log, note: str) -> None:
        """Have the checkpoint time-stamped, unless one of its size is."""
        del note
        stamp(log, self._ask, load_roots(self._ca_file), nonce=secrets.randbits(NONCE_BITS))

    def close(self) -> None:
        """Close the connection."""
        self._ask.close()


def targets(config: LedgerConfig, data: Path) -> list[Target]:
    """Return the targets of a configuration, for the logs of a data directory."""
    found: list[Target] = [Copies(each, data) for each in config.anchors]
    found += [Cosignatures(each) for each in config.witnesses]
    return found if config.timestamp_authority is None else [*found, Timestamps(config.timestamp_authority)]
