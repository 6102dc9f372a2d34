"""What `extensions.ledger` says of the world outside: second locations, witnesses, a time-stamping authority."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator

from collector.config_exporters import ClientTlsConfig, Headers
from collector.config_fields import Duration, HttpUrl, Section


class AnchorConfig(Section):
    path: str = Field(min_length=1)  # a folder that another machine owns, or s3://bucket/prefix, gs://…, abfs://…
    interval: Duration = Field(60.0, ge=1)  # how often new checkpoints are copied there

    @field_validator("path")
    @classmethod
    def _scheme(cls, path: str) -> str:
        scheme, separator, _ = path.partition("://")
        if separator and scheme not in {"file", "s3", "gs", "gcs", "abfs", "abfss", "hdfs"}:
            raise ValueError("must be a folder or a URL that begins with s3://, gs://, abfs:// or hdfs://")
        return path


def idle_anchor_warnings(anchors: Iterable[AnchorConfig], data: Path) -> Iterator[str]:
    """Warn of second locations that are the first one."""
    for anchor in anchors:
        if "://" not in anchor.path and Path(anchor.path).absolute().is_relative_to(data.absolute()):
            yield f"extensions.ledger.anchors: {anchor.path} is in the data directory, where who changes the one changes the other"


class WitnessConfig(Section):
    url: HttpUrl  # its submission prefix: checkpoints are pushed to `add-checkpoint` below it
    key: str  # its verifier key, as `auditlake witness --show-key` prints it
    interval: Duration = Field(60.0, ge=1)  # how often new checkpoints are pushed
    tls: ClientTlsConfig = ClientTlsConfig()  # how it is recognised, where its url begins with https://, as in exporters.otlp_http
    headers: Headers = Field(default_factory=dict)  # sent with each request, such as authorization; values as ${env:NAME}

    @field_validator("key")
    @classmethod
    def _verifier_key(cls, key: str) -> str:
        from storage.ledger.errors import NoteError
        from storage.ledger.note import VerifierKey

        try:
            VerifierKey.parse(key)
        except NoteError as error:
            raise ValueError(f"is no verifier key: {error.hint}") from None
        return key


class TimestampAuthorityConfig(Section):
    url: HttpUrl  # where requests of RFC 3161 are posted
    ca_file: Path  # PEM with the root certificates that its time-stamps must lead to; relative to this file's folder
    interval: Duration = Field(3600.0, ge=1)  # how often a log that grew is time-stamped
    tls: ClientTlsConfig = ClientTlsConfig()  # how it is recognised, where its url begins with https://, as in exporters.otlp_http
    headers: Headers = Field(default_factory=dict)  # sent with each request, such as authorization; values as ${env:NAME}

    @field_validator("ca_file")
    @classmethod
    def _beside_the_configuration(cls, file: Path, info: ValidationInfo) -> Path:
        folder = (info.context or {}).get("folder")
        return file if folder is None else folder / file
