"""A time-stamping authority (RFC 3161) for tests: signs what it is asked to, or something that must be refused."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from storage.ledger import der
from storage.ledger.timestamp import CONTENT_TYPE, MESSAGE_DIGEST, SHA256, SIGNED_DATA, SIGNING_CERTIFICATE_V2, TST_INFO

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
YEAR = timedelta(days=365)
Certificate = x509.Certificate


@dataclass(frozen=True)
class Issued:
    """A certificate with its key."""

    certificate: Certificate
    key: Any


def issue(
    name: str,
    issuer: Issued | None = None,
    *,
    ca: bool = True,
    usages: Sequence[x509.ObjectIdentifier] = (),
    critical: bool = True,
    key: Any = None,
    path_length: int | None = None,
    end: datetime = NOW + 10 * YEAR,
) -> Issued:
    """Make a certificate; one that issues itself is a root."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    by = Issued(None, key) if issuer is None else issuer  # type: ignore[arg-type]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - YEAR)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path_length if ca else None), critical=True)
    )
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=critical)
    algorithm = None if isinstance(by.key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return Issued(builder.sign(by.key, algorithm), key)


@dataclass
class Authority:
    """One authority; what it does wrong is said by its fields."""

    root: Issued = field(default_factory=lambda: issue("Root"))
    intermediate: Issued | None = None
    signer: Issued | None = None
    time: str = "20261121120000Z"
    nonce: int | None = None  # another than that of the request
    imprint: bytes | None = None  # another than that of the request
    status: bytes = b""
    pss: bool = False
    signed_content_type: str = TST_INFO
    named: Certificate | None = None  # the certificate that the signature names
    certificates: Sequence[Certificate] | None = None
    requests: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        by = self.intermediate or self.root
        self.signer = self.signer or issue("Stamps", by, ca=False, usages=[ExtendedKeyUsageOID.TIME_STAMPING])

    @property
    def roots(self) -> list[Certificate]:
        return [self.root.certificate]

    @property
    def pem(self) -> bytes:
        return self.root.certificate.public_bytes(Encoding.PEM)

    def answer(self, request: bytes) -> bytes:
        """Return a TimeStampResp to a TimeStampReq."""
        self.requests.append(request)
        if self.status:
            return der.encode(der.SEQUENCE, self.status)
        _, imprint, nonce, _ = der.parse(request).children()
        if self.imprint is not None:
            algorithm = der.encode(der.SEQUENCE, der.encode_oid(SHA256))
            imprint = der.parse(der.encode(der.SEQUENCE, algorithm, der.encode(der.OCTET_STRING, self.imprint)))
        info = der.encode(
            der.SEQUENCE,
            der.encode_integer(1),
            der.encode_oid("1.2.3.4"),
            imprint.whole,
            der.encode_integer(77),
            der.encode(der.GENERALIZED_TIME, self.time.encode()),
            nonce.whole if self.nonce is None else der.encode_integer(self.nonce),
        )
        granted = der.encode(der.SEQUENCE, der.encode_integer(0))
        token = der.encode(der.SEQUENCE, der.encode_oid(SIGNED_DATA), der.encode(0xA0, self._signed(info)))
        return der.encode(der.SEQUENCE, granted, token)

    def _signed(self, info: bytes) -> bytes:
        assert self.signer is not None
        certificate = self.signer.certificate
        named = (self.named or certificate).public_bytes(Encoding.DER)
        essential = der.encode(der.SEQUENCE, der.encode(der.OCTET_STRING, hashlib.sha256(named).digest()))
        attributes = b"".join(
            der.encode(der.SEQUENCE, der.encode_oid(name), der.encode(der.SET, value))
            for name, value in (
                (CONTENT_TYPE, der.encode_oid(self.signed_content_type)),
                (MESSAGE_DIGEST, der.encode(der.OCTET_STRING, hashlib.sha256(info).digest())),
                (SIGNING_CERTIFICATE_V2, der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, essential))),
            )
        )
        digest = der.encode(der.SEQUENCE, der.encode_oid(SHA256))
        issuer = der.encode(der.SEQUENCE, certificate.issuer.public_bytes(), der.encode_integer(certificate.serial_number))
        algorithm, signature = self._signature(der.encode(der.SET, attributes))
        signer = der.encode(
            der.SEQUENCE,
            der.encode_integer(1),
            issuer,
            digest,
            der.encode(0xA0, attributes),
            der.encode(der.SEQUENCE, der.encode_oid(algorithm)),
            der.encode(der.OCTET_STRING, signature),
        )
        chain = [certificate, *([] if self.intermediate is None else [self.intermediate.certificate])]
        certificates = b"".join(each.public_bytes(Encoding.DER) for each in (chain if self.certificates is None else self.certificates))
        content = der.encode(der.SEQUENCE, der.encode_oid(TST_INFO), der.encode(0xA0, der.encode(der.OCTET_STRING, info)))
        parts = (der.encode_integer(3), der.encode(der.SET, digest), content, der.encode(0xA0, certificates), der.encode(der.SET, signer))
        return der.encode(der.SEQUENCE, *parts)

    def _signature(self, message: bytes) -> tuple[str, bytes]:
        assert self.signer is not None
        match self.signer.key:
            case rsa.RSAPrivateKey() as key if self.pss:
                return "1.2.840.113549.1.1.10", key.sign(message, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
            case rsa.RSAPrivateKey() as key:
                return "1.2.840.113549.1.1.1", key.sign(message, padding.PKCS1v15(), hashes.SHA256())
            case ed25519.Ed25519PrivateKey() as key:
                return "1.3.101.112", key.sign(message)
            case key:
                return "1.2.840.10045.4.3.2", key.sign(message, ec.ECDSA(hashes.SHA256()))
