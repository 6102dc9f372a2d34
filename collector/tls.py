"""Certificates of the receivers: read whole or not at all, checked with a remedy in every error, and replaced while connections go on.

Both protocols get the same bytes: asyncio an `ssl.SSLContext` for each new connection, gRPC a certificate configuration. OpenSSL takes keys
from files alone, so they go through a pipe: what the configuration gave never touches a disk, and what was checked is what is used.
"""

import datetime
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from collector.config_admission import CIPHER_SUITES, TlsConfig
from collector.errors import CollectorError

MOST_PEM_BYTES: Final = 60 << 10
"""Of a chain or a key: what a pipe holds without a reader."""
HANDSHAKE_SECONDS: Final = 10.0

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_ALPN: Final = ("http/1.1",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a server proves itself with, and whose certificates it asks senders for; PEM."""

    chain: bytes
    key: bytes
    client_ca: bytes | None

    def __repr__(self) -> str:
        """Tell nothing of the key."""
        return "Identity(…)"


class Certificates:
    """The certificate of one protocol, read at once: raises CollectorError when it cannot be used."""

    def __init__(self, where: str, section: TlsConfig) -> None:
        """`where` is the path of the section, for messages."""
        self.where = where
        self._section = section
        self.take(read_identity(where, section))

    @property
    def context(self) -> ssl.SSLContext:
        """For connections that begin now."""
        return self._context

    def fresh(self, *, authorities: bool = False) -> Identity | None:
        """Read the files again, `authorities` whatever client_ca_file_reload says, and return what is in them; None when nothing is new.

        Raises CollectorError when it cannot be used.
        """
        all_files = authorities or self._section.client_ca_file_reload
        identity = read_identity(self.where, self._section, known=None if all_files else self._identity)
        return None if identity == self._identity else identity

    def take(self, identity: Identity) -> None:
        """Prove ourselves with another identity from now on; connections that are open keep theirs."""
        self._context = server_context(self.where, self._section, identity)
        self._identity = identity

    def warnings(self) -> list[str]:
        """Return what is wrong with the certificate though it can be used: it has expired, or is not yet valid."""
        from cryptography import x509

        leaf = x509.load_pem_x509_certificates(self._identity.chain)[0]
        now = datetime.datetime.now(datetime.UTC)
        if leaf.not_valid_after_utc < now:
            return [f"{self.where}: the certificate expired at {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC: senders will refuse it"]
        if leaf.not_valid_before_utc > now:
            return [f"{self.where}: the certificate is not valid before {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"]
        return []

    def grpc_credentials(self) -> Any:
        """Return server credentials that give each new connection the certificate of that moment."""
        import grpc

        given = [self._identity]

        def changed() -> Any:
            if given[0] is self._identity:
                return None
            given[0] = self._identity
            return _grpc_configuration(given[0])

        mutual = self._identity.client_ca is not None
        return grpc.dynamic_ssl_server_credentials(_grpc_configuration(self._identity), changed, mutual)


def read_identity(where: str, section: TlsConfig, *, known: Identity | None = None) -> Identity:
    """Read what a section names; with `known`, its authorities stay. Raises CollectorError that names the file and the remedy."""
    chain = section.cert_pem.encode() if section.cert_pem is not None else _content(f"{where}.cert_file", section.cert_file)
    key = section.key_pem.get_secret_value().encode() if section.key_pem is not None else _content(f"{where}.key_file", section.key_file)
    if known is not None or section.client_ca_file is None:
        authorities = None if known is None else known.client_ca
    else:
        authorities = _content(f"{where}.client_ca_file", section.client_ca_file)
    identity = Identity(chain=chain, key=key, client_ca=authorities)
    _check(where, section, identity)
    server_context(where, section, identity)
    return identity


def server_context(where: str, section: TlsConfig, identity: Identity) -> ssl.SSLContext:
    """Return a context that shows the identity and, where it has authorities, lets nobody in without a certificate of theirs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[section.min_version]
    context.maximum_version = _VERSIONS[section.max_version or "1.3"]
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(_ALPN)
    if section.cipher_suites:
        context.set_ciphers(":".join(CIPHER_SUITES[suite] for suite in section.cipher_suites))
    try:
        _load_chain(context, identity)
        if identity.client_ca is not None:
            context.load_verify_locations(cadata=identity.client_ca.decode("ascii"))
            context.verify_mode = ssl.CERT_REQUIRED
    except (ssl.SSLError, ValueError):
        raise CollectorError("use the certificate", where, hint="OpenSSL refuses it: use RSA of 2048 bits or more, or EC P-256") from None
    return context


def _load_chain(context: ssl.SSLContext, identity: Identity) -> None:
    """Hand chain and key to OpenSSL, which reads files, through pipes."""
    ends = [os.pipe(), os.pipe()]
    try:
        for (_, write_end), content in zip(ends, (identity.chain, identity.key), strict=True):
            os.write(write_end, content)
            os.close(write_end)
        chain_path, key_path = (f"/dev/fd/{read_end}" for read_end, _ in ends)
        context.load_cert_chain(chain_path, key_path, password=lambda: b"")
    finally:
        for read_end, _ in ends:
            os.close(read_end)


def _grpc_configuration(identity: Identity) -> Any:
    import grpc

    return grpc.ssl_server_certificate_configuration([(identity.key, identity.chain)], root_certificates=identity.client_ca)


def _content(where: str, file: Path | None) -> bytes:
    assert file is not None  # noqa: S101 - the model wants a file or its content
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise CollectorError("read", f"{where}: {file}", hint="there is no such file: create it, or correct the path") from None
    except PermissionError:
        raise CollectorError("read", f"{where}: {file}", hint="this user may not: change the owner or the mode of the file") from None
    except OSError as error:
        raise CollectorError("read", f"{where}: {file}", hint=f"{(error.strerror or 'error').lower()}: name a file in PEM") from None
    if len(content) > MOST_PEM_BYTES:
        raise CollectorError("read", f"{where}: {file}", hint=f"it is longer than {MOST_PEM_BYTES} bytes: name a file in PEM")
    return content


def _check(where: str, section: TlsConfig, identity: Identity) -> None:
    """Raise CollectorError when the parts are no certificates and key in PEM, or do not belong to each other."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    cert_place = f"{where}.cert_file: {section.cert_file}" if section.cert_file is not None else f"{where}.cert_pem"
    key_place = f"{where}.key_file: {section.key_file}" if section.key_file is not None else f"{where}.key_pem"
    try:
        leaf = x509.load_pem_x509_certificates(identity.chain)[0]
        if identity.client_ca is not None:
            cert_place = f"{where}.client_ca_file: {section.client_ca_file}"
            x509.load_pem_x509_certificates(identity.client_ca)
    except ValueError:
        raise CollectorError("read a certificate", cert_place, hint="it holds none in PEM (-----BEGIN CERTIFICATE-----)") from None
    try:
        key = load_pem_private_key(identity.key, None)
    except TypeError:
        hint = "it is encrypted: decrypt it (openssl pkey -in KEY -out PLAIN), and let nobody else read it"
        raise CollectorError("read a private key", key_place, hint=hint) from None
    except (ValueError, UnsupportedAlgorithm):
        raise CollectorError("read a private key", key_place, hint="it holds none in PEM, or one of a kind that is not known") from None

    def form(public: Any) -> Any:
        return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    if form(key.public_key()) != form(leaf.public_key()):
        hint = "the key is not that of the certificate: name the pair; in the chain the server's own certificate comes first"
        raise CollectorError(
            "use the certificate", f"{where}: {section.cert_file or 'cert_pem'}, {section.key_file or 'key_pem'}", hint=hint
        )
