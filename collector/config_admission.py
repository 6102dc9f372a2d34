"""Who may send, how he is recognised, and how much he may send: `tls`, `auth`, `cors` and `limits` of the receiver, and the authenticators.

Keys are those of the OpenTelemetry Collector (`configtls`, `confighttp`, the extensions `bearertokenauth` and `basicauth`), plus ours:
named tokens with a tenant, and limits. A token is hashed while it is read: neither the configuration in memory nor any message holds it.
"""

import hashlib
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Protocol, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, model_validator

from collector.config_fields import Duration, Endpoint, Section, is_loopback

AUTHENTICATORS: Final = ("basicauth", "bearertokenauth")
HASH_PREFIX: Final = "sha256:"

CIPHER_SUITES: Final = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
}
"""Suites of TLS 1.2 with forward secrecy and authenticated encryption, by their IANA names: what OpenSSL calls them."""

_HEX_DIGEST = re.compile(r"[0-9a-f]{64}")
_TOKEN = re.compile(r"[\x21-\x7e]+")
_ORIGIN = re.compile(r"\*|null|https?://[^/\s]+")


def _beside_the_configuration(file: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    return file if folder is None else folder / file


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, float) else value  # `min_version: 1.2` is a number in YAML


def token_hash(token: Any) -> str:
    """Return `sha256:` and the hexadecimal SHA-256 of a token; raises ValueError when no header could carry it.

    A token is random, so nobody can guess what its hash stands for, and neither salt nor a slow hash adds to that.
    """
    if not isinstance(token, str):
        raise ValueError("must be text: put it in quotes")
    if not _TOKEN.fullmatch(token):
        raise ValueError("must be visible ASCII characters without spaces, and not empty")
    if token.startswith(HASH_PREFIX):
        raise ValueError("is the hash of a token: write it as token_hash, under tokens; else whoever reads it could send with it")
    return HASH_PREFIX + hashlib.sha256(token.encode("ascii")).hexdigest()


def checked_hash(text: Any) -> str:
    """Return `sha256:` and 64 hexadecimal digits in lower case, however the hash is spelled; raises ValueError when it is none."""
    digits = str(text).strip().lower().removeprefix(HASH_PREFIX)
    if not _HEX_DIGEST.fullmatch(digits):
        raise ValueError("must be sha256: and 64 hexadecimal digits, as `printf %s TOKEN | sha256sum` prints them")
    return HASH_PREFIX + digits


def _origin(value: str) -> str:
    if not _ORIGIN.fullmatch(value):
        raise ValueError("must be an origin such as https://app.example.com or https://*.example.com, or *")
    return value.lower()


def _cipher_suite(value: str) -> str:
    if value not in CIPHER_SUITES:
        raise ValueError(f"{value} is not offered: known are {', '.join(sorted(CIPHER_SUITES))}")
    return value


BesideFile = Annotated[Path, AfterValidator(_beside_the_configuration)]
HashedToken = Annotated[str, BeforeValidator(token_hash)]
TokenHash = Annotated[str, BeforeValidator(checked_hash)]
Origin = Annotated[str, AfterValidator(_origin)]
CipherSuite = Annotated[str, AfterValidator(_cipher_suite)]
TlsVersion = Annotated[Literal["1.2", "1.3"], BeforeValidator(_text)]
SenderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@/-]{0,127}$")]
TenantName = Annotated[str, Field(pattern=r"^[^\s:\x00-\x1f\x7f][^:\x00-\x1f\x7f]{0,127}$")]


class TlsConfig(Section):
    cert_file: BesideFile | None = None  # certificate chain, PEM; relative to this file's folder
    key_file: BesideFile | None = None  # its private key, PEM, not encrypted
    cert_pem: str | None = None  # the certificate chain itself, instead of cert_file
    key_pem: SecretStr | None = None  # the private key itself, instead of key_file: as ${env:NAME}, never in the file
    client_ca_file: BesideFile | None = None  # senders must have a certificate of one of these authorities (mutual TLS)
    client_ca_file_reload: bool = False  # whether client_ca_file is read again with the certificate, too; SIGHUP always does
    ca_file: BesideFile | None = None  # accepted for compatibility, without effect: a server proves itself, client_ca_file is about senders
    ca_pem: str | None = None  # likewise
    min_version: TlsVersion = "1.2"  # the oldest version; anything before 1.2 is not offered
    max_version: TlsVersion | None = None  # the newest version; unset: 1.3
    cipher_suites: tuple[CipherSuite, ...] = ()  # of TLS 1.2, IANA names; unset: those with forward secrecy that OpenSSL prefers
    reload_interval: Duration = Field(60.0, ge=1)  # how often files are looked at; new connections get a new certificate, old ones go on

    @model_validator(mode="after")
    def _a_certificate_and_its_key(self) -> Self:
        for file, pem, what in ((self.cert_file, self.cert_pem, "cert"), (self.key_file, self.key_pem, "key")):
            if (file is None) == (pem is None):
                raise ValueError(f"needs {what}_file or {what}_pem, one of them")
        if self.max_version is not None and self.max_version < self.min_version:
            raise ValueError("max_version must not be older than min_version")
        return self


class GrpcTlsConfig(TlsConfig):
    @model_validator(mode="after")
    def _what_grpc_can(self) -> Self:
        if self.min_version != "1.2" or self.max_version == "1.2" or self.cipher_suites:
            raise ValueError("gRPC offers TLS 1.2 and 1.3 with suites of its own: leave out min_version, max_version and cipher_suites")
        return self


class AuthConfig(Section):
    authenticator: str  # id of an extension, bearertokenauth or basicauth, that is named in service.extensions, too


class CorsConfig(Section):
    allowed_origins: tuple[Origin, ...] = ()  # pages that may send: origins, * stands for any part; none: no page may
    allowed_headers: tuple[str, ...] = ()  # headers that they may set beside Accept, Content-Type and X-Requested-With; * is any
    exposed_headers: tuple[str, ...] = ("auditlake-receipt",)  # headers of answers that they may read
    max_age: int = Field(0, ge=0)  # seconds for which browsers may remember that; 0: as long as they like, usually 5


class TokenConfig(Section):
    name: SenderName | None = None  # under which its sender is known, in events and messages; unset: the extension's id and a number
    tenant: TenantName | None = None  # of everything that is sent with it, whatever the records say; unset: what they say
    token: HashedToken | None = None  # the token itself: as ${env:NAME}, never in the file
    token_hash: TokenHash | None = None  # its hash, sha256:HEX

    @model_validator(mode="before")
    @classmethod
    def _a_text_is_a_token(cls, values: Any) -> Any:
        return {"token": values} if isinstance(values, str) else values

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.token is None) == (self.token_hash is None):
            raise ValueError("needs token or token_hash, one of them")
        return self

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the token."""
        return bytes.fromhex((self.token or self.token_hash or "").removeprefix(HASH_PREFIX))


class BearerTokenAuthConfig(Section):
    scheme: str = Field("Bearer", pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]*$")  # what stands before the token; "": the token stands alone
    token: HashedToken | None = None  # one token, of any tenant
    tokens: tuple[TokenConfig, ...] = ()  # several, all valid: each a text, or name, tenant and token or token_hash
    filename: BesideFile | None = None  # more of them, one a line: TOKEN, NAME:TENANT:TOKEN or NAME:TENANT:sha256:HEX
    reload_interval: Duration = Field(5.0, ge=0.1)  # how often the file is looked at; SIGHUP does so at once

    @model_validator(mode="after")
    def _some_token(self) -> Self:
        if self.token is None and not self.tokens and self.filename is None:
            raise ValueError("needs token, tokens or filename")
        return self


class HtpasswdConfig(Section):
    file: BesideFile | None = None  # as `htpasswd -B` writes it: USER:HASH a line, of bcrypt, apr1 or SHA
    inline: SecretStr | None = None  # the same lines; they go before those of the file

    @model_validator(mode="after")
    def _some_users(self) -> Self:
        if self.file is None and self.inline is None:
            raise ValueError("needs file or inline")
        return self


class BasicAuthConfig(Section):
    htpasswd: HtpasswdConfig  # users and hashes of their passwords
    tenants: dict[str, TenantName] = Field(default_factory=dict)  # user → tenant of everything he sends; others: what their records say
    reload_interval: Duration = Field(5.0, ge=0.1)  # how often the file is looked at; SIGHUP does so at once


class AllowanceConfig(Section):
    requests_per_second: float | None = Field(None, gt=0)  # requests, on the average; unset: no limit
    requests_burst: int | None = Field(None, ge=1)  # requests at once after a rest; unset: those of one second
    bytes_per_second: float | None = Field(None, gt=0)  # bytes after decompression, on the average; unset: no limit
    bytes_burst: int | None = Field(None, ge=1)  # bytes at once after a rest; unset: those of one second
    max_request_bytes: int | None = Field(None, ge=1)  # of one request after decompression; unset: the protocol's limit alone


class LimitsConfig(Section):
    default: AllowanceConfig | None = None  # of each tenant that is not named below, and of each sender without one; unset: no limit
    tenants: dict[str, AllowanceConfig] = Field(default_factory=dict)  # tenant → what it may send


class Listening(Protocol):
    """What is asked of any section with an endpoint."""

    @property
    def endpoint(self) -> Endpoint: ...


class Guarded(Listening, Protocol):
    """What is asked of a protocol's section."""

    @property
    def tls(self) -> TlsConfig | None: ...
    @property
    def auth(self) -> AuthConfig | None: ...


def is_anonymous_in_public(protocol: Guarded) -> bool:
    """Say whether other machines reach the protocol without having to prove who they are."""
    proven = protocol.auth is not None or (protocol.tls is not None and protocol.tls.client_ca_file is not None)
    return not proven and not is_loopback(protocol.endpoint)


def authenticator_problems(
    protocols: Mapping[str, Guarded | None], declared: Container[str], enabled: Container[str]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield where below the receiver an authenticator is named that does not run, and what to do; ids are those of extensions."""
    for name, protocol in protocols.items():
        if protocol is None or protocol.auth is None:
            continue
        identifier, place = protocol.auth.authenticator, ("protocols", name, "auth", "authenticator")
        if identifier.partition("/")[0] not in AUTHENTICATORS:
            yield place, f"{identifier} is no authenticator: known are {', '.join(AUTHENTICATORS)}"
        elif identifier not in declared:
            yield place, f"{identifier} is not declared under extensions"
        elif identifier not in enabled:
            yield place, f"{identifier} does not run: name it in service.extensions, too"


def exposure_warnings(protocol: Guarded) -> Iterator[str]:
    """Yield what others could read or what has no effect."""
    if protocol.tls is None and not is_loopback(protocol.endpoint):
        carried = "credentials and records" if protocol.auth is not None else "records"
        yield f"{protocol.endpoint} can be reached from other machines without TLS: {carried} cross the network readable; set tls"
    if protocol.tls is not None and (protocol.tls.ca_file or protocol.tls.ca_pem):
        yield "tls.ca_file and tls.ca_pem have no effect on a server: certificates of senders are checked by tls.client_ca_file"


def public_pages_warnings(pages: Mapping[str, Listening | None]) -> Iterator[str]:
    """Yield which pages, that ask nobody who he is, other machines can reach."""
    for name, section in pages.items():
        if section is not None and not is_loopback(section.endpoint):
            yield f"extensions.{name}: {section.endpoint} can be reached from other machines, and nobody has to authenticate there"


def idle_authenticator_warnings(running: Iterable[str], protocols: Iterable[Guarded | None]) -> Iterator[str]:
    """Yield which authenticators run, although no protocol asks them."""
    asked = {protocol.auth.authenticator for protocol in protocols if protocol is not None and protocol.auth is not None}
    for identifier in running:
        if identifier not in asked:
            yield f"extensions.{identifier} is asked by no protocol: set its auth to {{authenticator: {identifier}}}"
