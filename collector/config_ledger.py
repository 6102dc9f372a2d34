"""`extensions.ledger`: how the evidence is kept. The ledger is on without this section, and the section counts wherever it is declared."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, ValidationInfo, field_validator, model_validator

from collector.config_anchors import AnchorConfig, TimestampAuthorityConfig, WitnessConfig
from collector.config_fields import Duration, Section

if TYPE_CHECKING:
    from storage.ledger.anchors import Places
    from storage.ledger.log_writer import Ledger


class LedgerConfig(Section):
    enabled: bool = True  # without it nothing that is stored meanwhile can be verified
    key_file: Path | None = None  # base64 of the 32 bytes of an Ed25519 seed, mode 0600; unset: keys/ledger.key in the data directory
    key_env: str | None = Field(None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")  # the same in the environment variable of this name
    idle_interval: Duration = Field(60.0, ge=1)  # after so long without anything sealed, the log is signed again: silence is provable
    self_check_interval: Duration | None = Field(86_400.0, ge=60)  # how often the collector verifies its own lake; null: never
    anchors: tuple[AnchorConfig, ...] = ()  # second locations that get a copy of each checkpoint; docs/anchors.md
    witnesses: tuple[WitnessConfig, ...] = ()  # witnesses that cosign checkpoints (c2sp.org/tlog-witness)
    timestamp_authority: TimestampAuthorityConfig | None = None  # an authority that time-stamps checkpoints (RFC 3161)

    @field_validator("key_file")
    @classmethod
    def _beside_the_configuration(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        folder = (info.context or {}).get("folder")
        return file if file is None or folder is None else folder / file

    @model_validator(mode="after")
    def _one_key(self) -> "LedgerConfig":
        if self.key_file is not None and self.key_env is not None:
            raise ValueError("the key is in key_file or in key_env, not in both")
        return self

    @property
    def leaves_host(self) -> bool:
        """Whether checkpoints are made known outside of this host."""
        return self.enabled and bool(self.anchors or self.witnesses or self.timestamp_authority)

    @property
    def places(self) -> "Places":
        """Where checkpoints can be found outside of this host."""
        from storage.ledger.anchors import Places
        from storage.ledger.note import VerifierKey

        authority = self.timestamp_authority
        return Places(
            copies=tuple(each.path for each in self.anchors),
            witnesses=tuple(VerifierKey.parse(each.key) for each in self.witnesses),
            authority_file=None if authority is None else authority.ca_file,
        )

    def kept(self, environ: Mapping[str, str]) -> "Ledger":
        """Return the ledger as it is kept by this section; `environ` is where `key_env` is looked up."""
        from storage.ledger.keys import KeySource
        from storage.ledger.log_writer import Ledger

        source = KeySource(file=self.key_file, env=self.key_env)
        return Ledger(enabled=self.enabled, keys=source, environ=environ, idle_seconds=self.idle_interval)

    def checking(self, node: str) -> "Checking | None":
        """Return how a node verifies its own lake; None when it does not."""
        if not self.enabled or self.self_check_interval is None:
            return None
        return Checking(node=node, interval_seconds=self.self_check_interval, ledger=self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checking:
    """How a node verifies its own lake."""

    node: str
    interval_seconds: float
    ledger: LedgerConfig
